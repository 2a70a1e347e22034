"""Runs the function calls of a model: each one gets exactly one output, whatever happens."""

import asyncio
import inspect
import logging
import math
import traceback
from pathlib import Path
from typing import Any

import msgspec

from deep_chat_proxy.tools.declaration import Tool
from deep_chat_proxy.tools.output import SMALLEST_OUTPUT, error_text, result_text
from deep_chat_proxy.tools.registry import Registry
from deep_chat_proxy.tools.threads import NoThreadError, ToolThreads
from deep_chat_proxy.turn.events import ToolCall, ToolOutput

logger = logging.getLogger("deep_chat_proxy")

# Threads of calls that were given up, for each thread that works: see `threads`.
LOST_FOR_EACH_THREAD = 4


class _Refusal(Exception):  # noqa: N818 - no error of the program, but an answer to the model
    """A call that ends without a result; the text is for the model."""


class ToolExecutor:
    """Runs tools of a registry; serves as the turn's `Tools`.

    What a tool raises is never shown: neither the model nor the log at its default level gets an
    exception's text, since it may hold a key, a path or a visitor's data. At DEBUG it is logged whole.
    """

    def __init__(
        self, registry: Registry, *, timeout: float = 30.0, max_output: int = 200_000, threads: int = 8
    ) -> None:
        """`timeout` (seconds, above 0) holds for tools without their own; `max_output` (characters, 100 or
        more) bounds an output; `threads` (1 or more) is how many sync tools run at once.

        Raises ValueError for a value out of range.
        """
        if not (math.isfinite(timeout) and timeout > 0):
            raise ValueError(f"timeout must be seconds above 0, not {timeout}")
        if max_output < SMALLEST_OUTPUT:
            raise ValueError(f"max_output must be {SMALLEST_OUTPUT} characters or more, not {max_output}")
        if threads < 1:
            raise ValueError(f"threads must be 1 or more, not {threads}")
        self._registry = registry
        self._timeout = timeout
        self._max_output = max_output
        self._threads = ToolThreads(threads, LOST_FOR_EACH_THREAD * threads)

    @property
    def lost_threads(self) -> int:
        """How many threads still run a sync tool whose call timed out or was stopped."""
        return self._threads.lost

    def label(self, name: str) -> str:
        """A sentence for the visitor; one that tells nothing where the model made the name up."""
        tool = self._registry.get(name)
        return tool.label if tool else "Using a tool…"

    def repeatable(self, name: str) -> bool:
        """Whether whoever wrote the tool says that a call of it may be repeated."""
        tool = self._registry.get(name)
        return tool is not None and tool.repeatable

    async def run(self, call: ToolCall) -> ToolOutput:
        """The output of one call, `ok` False and `{"error": …}` where there is no result. Never raises.

        Cancelling it cancels an async tool (and waits for the tool to end) and gives up a sync one.
        The timeout counts from here, so it includes the wait for a free thread.
        """
        try:
            return ToolOutput(call.call_id, await self._result(call))
        except _Refusal as refusal:
            return ToolOutput(call.call_id, error_text(str(refusal)), ok=False)

    async def close(self, *, wait: float = 5.0) -> None:
        """Refuse sync tools from now on, and give those that still run up to `wait` seconds to end."""
        if left := await self._threads.close(wait):
            logger.warning("%d tool threads still run and are left behind", left)

    async def _result(self, call: ToolCall) -> str:
        tool = self._registry.get(call.name)
        if tool is None:
            # The name is the model's own text, which the default level must not show.
            logger.warning("the model called a tool that does not exist")
            logger.debug("unknown tool %r", call.name)
            names = ", ".join(known.name for known in self._registry) or "none"
            raise _Refusal(f"There is no tool of this name. Tools there are: {names}.")
        arguments = _read_arguments(tool, call.arguments)
        result = await self._call(tool, arguments)
        try:
            return result_text(result, self._max_output)
        except Exception as fault:
            logger.warning("tool %s returned a %s without a JSON form", tool.name, type(result).__name__)
            logger.debug("tool %s", tool.name, exc_info=True)
            raise _Refusal("The tool returned nothing that can be read.") from fault

    async def _call(self, tool: Tool[..., Any], arguments: dict[str, Any]) -> object:
        task = asyncio.current_task()
        cancels_before = task.cancelling() if task else 0
        seconds = tool.timeout or self._timeout
        try:
            async with asyncio.timeout(seconds) as limit:
                return await self._await_result(tool, arguments)
        except asyncio.CancelledError as fault:
            if task and task.cancelling() > cancels_before:
                raise
            # Nobody cancelled this call: the tool let out a cancellation of its own.
            raise _failed(tool, fault) from fault
        except NoThreadError as fault:
            logger.warning("tool %s was not run: %s", tool.name, fault)
            raise _Refusal("The tool is not available right now.") from fault
        except (Exception, SystemExit) as fault:
            if limit.expired():
                logger.warning("tool %s timed out after %g s", tool.name, seconds)
                raise _Refusal(f"The tool did not answer within {seconds:g} seconds.") from fault
            raise _failed(tool, fault) from fault

    async def _await_result(self, tool: Tool[..., Any], arguments: dict[str, Any]) -> object:
        work = tool.bind(arguments)
        result = work() if tool.is_async else await self._threads.run(work, name=f"tool {tool.name}")
        # A sync function may wrap an async one, as decorators do.
        return await result if inspect.isawaitable(result) else result


def _read_arguments(tool: Tool[..., Any], text: str) -> dict[str, Any]:
    try:
        return tool.read_arguments(text)
    except msgspec.MsgspecError as fault:
        logger.warning("tool %s was called with wrong arguments", tool.name)
        logger.debug("tool %s", tool.name, exc_info=True)
        raise _Refusal(f"The arguments are wrong: {fault}. Correct them and call the tool again.") from fault
    except Exception as fault:
        logger.warning("tool %s: its arguments raised %s", tool.name, type(fault).__name__)
        logger.debug("tool %s", tool.name, exc_info=True)
        raise _Refusal("The arguments cannot be read. Correct them and call the tool again.") from fault


def _failed(tool: Tool[..., Any], fault: BaseException) -> _Refusal:
    # Where it happened, for whoever wrote the tool; what it says may be anyone's.
    places = traceback.extract_tb(fault.__traceback__)
    where = f"{Path(places[-1].filename).name}:{places[-1].lineno}" if places else "unknown"
    logger.warning("tool %s failed with %s at %s", tool.name, type(fault).__name__, where)
    logger.debug("tool %s", tool.name, exc_info=fault)
    return _Refusal("The tool failed. Go on without its result, or call it with other arguments.")
