"""The life of a response, from `created` to its end: performs what the brain answers, until that ends.

(queued →) in_progress → completed | incomplete | failed | cancelled

Function calls and requests for approval end it `completed`: what answers them is the input of the next one.
A response in the foreground has no life without its connection, and nothing of it stays when that breaks.
"""

import asyncio
import logging
import time

import msgspec

from deep_chat_proxy.local_openai.brain.actions import (
    Action,
    AskApproval,
    CallFunctions,
    CutConnection,
    CutReason,
    CutShort,
    DrawImage,
    Expire,
    Fail,
    Fault,
    Hang,
    NewMessage,
    Pace,
    RunCode,
    SearchFiles,
    SearchWeb,
    StreamError,
    Think,
    UseRemoteTool,
    Wait,
)
from deep_chat_proxy.local_openai.brain.conversation import Conversation
from deep_chat_proxy.local_openai.event_stream import End
from deep_chat_proxy.local_openai.responses import hosted, mcp
from deep_chat_proxy.local_openai.responses.context import Place
from deep_chat_proxy.local_openai.responses.endings import (
    CANCELLED,
    COMPLETED,
    CUT_OFF,
    FILTERED,
    OUT_OF_TIME,
    OUT_OF_TOKENS,
    Ending,
    ResponseStops,
    failed,
)
from deep_chat_proxy.local_openai.responses.function_calls import call_functions
from deep_chat_proxy.local_openai.responses.message_writer import MessageWriter, Speech
from deep_chat_proxy.local_openai.responses.objects import Usage
from deep_chat_proxy.local_openai.responses.reasoning import think
from deep_chat_proxy.local_openai.responses.stage import Stage
from deep_chat_proxy.local_openai.usage import tokens, tokens_of

Tools = Think | SearchFiles | SearchWeb | RunCode | DrawImage | UseRemoteTool | AskApproval | CallFunctions
logger = logging.getLogger("deep_chat_proxy.local_openai")


class ResponseLife:
    """One response; `live` is to be run once, in a task of its own."""

    def __init__(self, stage: Stage, place: Place, known: Conversation, script: tuple[Action, ...]) -> None:
        """`script` is what the brain answers to what is `known`."""
        self._stage = stage
        self._kept = stage.kept
        self._place = place
        self._known = known
        self._script = script
        self._writer: MessageWriter | None = None

    async def live(self) -> None:
        """Never raises but when the task is cancelled without the response being cancelled."""
        try:
            async with asyncio.timeout(self._stage.state.options.run_ttl):
                await self._act()
            self._end(COMPLETED)
        except ResponseStops as stops:
            self._end(stops.ending)
        except TimeoutError:
            self._end(OUT_OF_TIME)
        except asyncio.CancelledError:
            if not self._kept.cancel_asked:
                self._kept.finish(End.CUT)
                raise
            self._end(CANCELLED)
        except Exception:
            logger.exception("%s failed", self._kept.response.id)
            self._end(failed(Fault.SERVER_ERROR, "Sorry, something went wrong."))

    async def _act(self) -> None:
        response = self._kept.response
        self._stage.emit_response("created")
        if response.status == "queued":
            self._stage.emit_response("queued")
            await self._stage.beat()
            response.status = "in_progress"
        self._stage.emit_response("in_progress")
        await self._stage.beat()
        for action in self._script:
            await self._perform(action)
        self._finish_message()

    async def _perform(self, action: Action) -> None:
        if isinstance(action, Speech):
            self._writer = self._writer or MessageWriter(self._stage)
            await self._writer.write(action)
            return
        if isinstance(action, Tools | NewMessage):
            self._finish_message()
        if isinstance(action, Tools):
            await self._use(action)
        else:
            await self._happen(action)

    async def _use(self, action: Tools) -> None:
        stage = self._stage
        match action:
            case Think():
                await think(stage, action)
            case SearchFiles():
                await hosted.search_files(stage, action, self._known.asked.text)
            case SearchWeb():
                await hosted.search_web(stage, action)
            case RunCode():
                await hosted.run_code(stage, action)
            case DrawImage():
                await hosted.draw_image(stage, action)
            case UseRemoteTool():
                await mcp.use_remote_tool(stage, action)
            case AskApproval():
                await mcp.ask_approval(stage, action)
            case CallFunctions(calls):
                await call_functions(stage, calls)

    async def _happen(self, action: Action) -> None:
        match action:
            case Pace(seconds):
                self._stage.pace = seconds
            case Wait(seconds):
                await asyncio.sleep(seconds)
            case Hang():
                await asyncio.Event().wait()
            case CutConnection():
                self._cut_connection()
            case Fail(fault, message):
                raise ResponseStops(failed(fault, message))
            case CutShort(reason):
                raise ResponseStops(OUT_OF_TOKENS if reason is CutReason.LENGTH else FILTERED)
            case Expire():
                raise ResponseStops(OUT_OF_TIME)
            case StreamError(message):
                self._kept.emit("error", {"code": Fault.SERVER_ERROR, "message": message, "param": None})
                raise ResponseStops(failed(Fault.SERVER_ERROR, message, told=True))

    def _cut_connection(self) -> None:
        if not self._kept.response.background:
            raise ResponseStops(CUT_OFF)
        self._kept.end_streams(End.CUT)

    def _finish_message(self) -> None:
        if self._writer is not None:
            self._writer.finish()
            self._writer = None

    def _end(self, ending: Ending) -> None:
        if ending is CUT_OFF:
            self._kept.finish(End.CUT)
            return
        self._close_items(ending)
        response = self._kept.response
        response.status = ending.status
        response.error = ending.error
        response.incomplete_details = {"reason": ending.reason} if ending.reason else None
        response.completed_at = int(time.time()) if ending is COMPLETED else None
        response.usage = self._usage()
        self._keep(ending)
        if ending.event is not None:
            self._stage.emit_response(ending.event)
        self._kept.finish(End.WITHOUT_DONE if ending.told else End.DONE)

    def _close_items(self, ending: Ending) -> None:
        """What was being written is as much as there will be; only a cut answer says so in its events."""
        if self._writer is not None and ending.reason is not None:
            self._writer.finish("incomplete")
        elif self._stage.open_item is not None:
            self._stage.open_item.mark("incomplete")

    def _keep(self, ending: Ending) -> None:
        """A conversation takes in what was said; what failed or was cancelled was never said."""
        kept, conversation = self._kept, self._place.conversation
        grown = kept.size - self._place.size + len(msgspec.json.encode(kept.response.output))
        kept.size = self._place.size + grown
        if conversation is not None and ending.kept:
            conversation.add([*kept.new, *kept.response.output])
            self._stage.state.conversations.grow(conversation.conversation.id, grown)
        if kept.response.store:
            self._stage.state.keep_response(kept)

    def _usage(self) -> Usage:
        read = tokens_of(self._known)
        items = self._kept.response.output
        thought = sum(len(msgspec.json.encode(item)) for item in items if item["type"] == "reasoning")
        written = tokens(len(msgspec.json.encode(items)))
        return Usage(
            input_tokens=read,
            input_tokens_details={"cached_tokens": 0, "cache_write_tokens": 0},
            output_tokens=written,
            output_tokens_details={"reasoning_tokens": thought // 4},
            total_tokens=read + written,
        )
