"""The Assistants v2 dialect: makes turns for one assistant of one back end."""

import logging
from collections.abc import Mapping, Sequence

from deep_chat_proxy.turn.held import Held, HeldKind
from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.turn.ports import Thread
from deep_chat_proxy.upstream.assistants.api import AssistantsApi
from deep_chat_proxy.upstream.assistants.options import AssistantsOptions
from deep_chat_proxy.upstream.assistants.turn import AssistantsTurn
from deep_chat_proxy.upstream.client import ApiClient
from deep_chat_proxy.upstream.closing import gone
from deep_chat_proxy.upstream.files import Files

logger = logging.getLogger("deep_chat_proxy.upstream")


class AssistantsDialect:
    """Implements `Dialect`. `functions` are the proxy's own tools as {name, description, parameters}."""

    name = "assistants"

    def __init__(
        self, client: ApiClient, options: AssistantsOptions, functions: Sequence[Mapping[str, object]]
    ) -> None:
        self.files = Files(client)
        self._api = AssistantsApi(client)
        self._options = options
        self._functions = functions
        self._run_body: dict[str, object] | None = None

    async def prepare(self) -> None:
        """As in `Dialect`; what a run is made with is asked for with the first one."""

    def turn(self, thread: Thread, message: UserMessage) -> AssistantsTurn:
        """As in `Dialect`."""
        return AssistantsTurn(
            self._api, self.files, self._options, thread=thread, message=message, run_body=self.run_body
        )

    async def delete(self, held: Held) -> None:
        """As in `Dialect`."""
        match held.kind:
            case HeldKind.THREAD:
                await gone(self._api.delete_thread(held.held_id))
            case HeldKind.FILE:
                await gone(self.files.delete(held.held_id))
            case _:
                pass

    async def title(self, model: str, text: str) -> str | None:  # noqa: ARG002 - as in `Dialect`
        """As in `Dialect`: an answer would take a thread and a run."""
        return None

    async def run_body(self) -> dict[str, object]:
        """What every run is made with; asks the back end for the assistant's own tools, once."""
        if self._run_body is None:
            body: dict[str, object] = {"assistant_id": self._options.assistant_id}
            if self._options.model is not None:
                body["model"] = self._options.model
            if self._options.instructions is not None:
                body["instructions"] = self._options.instructions
            if tools := await self._missing_tools():
                body["tools"] = tools
            self._run_body = body
        return self._run_body

    async def _missing_tools(self) -> list[dict[str, object]]:
        """All tools of a run, where the assistant does not have all of ours; [] to leave them to it.

        A run's `tools` replace the assistant's, so its own are repeated.
        """
        if not self._functions:
            return []
        theirs = await self._api.assistant_tools(self._options.assistant_id)
        if theirs is None:
            logger.warning("the back end does not show its assistant, so the functions it has there are used")
            return []
        known = {_function_name(tool) for tool in theirs}
        missing = [function for function in self._functions if function["name"] not in known]
        ours: list[dict[str, object]] = [{"type": "function", "function": dict(each)} for each in missing]
        return [*theirs, *ours] if ours else []


def _function_name(tool: Mapping[str, object]) -> object:
    function = tool.get("function")
    return function.get("name") if isinstance(function, dict) else None
