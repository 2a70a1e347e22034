"""The Responses dialect: makes turns for one model of one back end."""

from collections.abc import Mapping, Sequence

from deep_chat_proxy.turn.held import Held, HeldKind
from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.turn.ports import Thread
from deep_chat_proxy.upstream.client import ApiClient
from deep_chat_proxy.upstream.closing import gone
from deep_chat_proxy.upstream.responses.options import ResponsesOptions
from deep_chat_proxy.upstream.responses.server import ResponsesServer
from deep_chat_proxy.upstream.responses.turn import ResponsesTurn
from deep_chat_proxy.upstream.titles import by_response


class ResponsesDialect:
    """Implements `Dialect`. `functions` are the proxy's own tools as {name, description, parameters}."""

    name = "responses"

    def __init__(
        self, client: ApiClient, options: ResponsesOptions, functions: Sequence[Mapping[str, object]]
    ) -> None:
        self._server = ResponsesServer(client, options, functions)
        self.files = self._server.files

    async def prepare(self) -> None:
        """As in `Dialect`."""
        await self._server.abilities.way()

    def turn(self, thread: Thread, message: UserMessage) -> ResponsesTurn:
        """As in `Dialect`."""
        return ResponsesTurn(self._server, thread, message)

    async def delete(self, held: Held) -> None:
        """As in `Dialect`. What was said in a conversation goes with its responses, not with the conversation."""
        api = self._server.api
        match held.kind:
            case HeldKind.CONVERSATION:
                await gone(api.delete_conversation(held.held_id))
            case HeldKind.RESPONSE:
                await gone(api.delete(held.held_id))
            case HeldKind.FILE:
                await gone(self.files.delete(held.held_id))
            case _:
                pass

    async def title(self, model: str, text: str) -> str | None:
        """As in `Dialect`."""
        return await by_response(self._server.api.client, model, text)
