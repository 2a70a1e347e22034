"""The life of a run, from `created` to its end: performs what the brain answers, until that ends.

queued → in_progress → completed | failed | incomplete | cancelled | expired
             ↓   ↑
       requires_action → cancelled | expired
"""

import asyncio
import logging
import time

from deep_chat_proxy.local_openai.assistants.message_writer import MessageWriter, Speech
from deep_chat_proxy.local_openai.assistants.objects import RunError
from deep_chat_proxy.local_openai.assistants.scene import conversation
from deep_chat_proxy.local_openai.assistants.stage import (
    COMPLETED,
    EXPIRED,
    FAILED,
    FILTERED,
    OUT_OF_TOKENS,
    Ending,
    RunStops,
    Stage,
)
from deep_chat_proxy.local_openai.assistants.tool_steps import ToolStep
from deep_chat_proxy.local_openai.brain import reply
from deep_chat_proxy.local_openai.brain.actions import (
    Action,
    CallFunctions,
    CutConnection,
    CutReason,
    CutShort,
    Expire,
    Fail,
    Fault,
    Hang,
    NewMessage,
    Pace,
    RunCode,
    SearchFiles,
    StreamError,
    Wait,
)
from deep_chat_proxy.local_openai.brain.conversation import Call
from deep_chat_proxy.local_openai.event_stream import End

ENDED_AT = {
    "completed": "completed_at",
    "incomplete": "completed_at",
    "failed": "failed_at",
    "cancelled": "cancelled_at",
}
logger = logging.getLogger("deep_chat_proxy.local_openai")


class RunLife:
    """One run; `live` is to be run once, in a task of its own."""

    def __init__(self, stage: Stage, script: tuple[Action, ...]) -> None:
        """`script` is what the brain answers first."""
        self._stage = stage
        self._kept = stage.kept
        self._script = script
        self._writer: MessageWriter | None = None
        self._tools: ToolStep | None = None

    async def live(self) -> None:
        """Returns when the run has ended, whatever it ended with."""
        try:
            await self._act()
            self._end(COMPLETED)
        except RunStops as stops:
            self._end(stops.ending, stops.error)
        except asyncio.CancelledError:
            self._kept.end_streams(End.CUT)
            raise
        except Exception:
            logger.exception("%s failed", self._kept.run.id)
            self._end(FAILED, RunError(Fault.SERVER_ERROR, "Sorry, something went wrong."))

    async def _act(self) -> None:
        self._kept.emit("thread.run.created", self._kept.run)
        self._stage.emit_run()
        await self._stage.pause(self._stage.pace)
        self._start()
        while calls := await self._perform(self._script):
            await self._use_functions(calls)
            messages = self._stage.thread.messages.values()
            self._script = reply(conversation(messages, self._kept, self._stage.state.files))

    def _start(self) -> None:
        run = self._kept.run
        run.status = "in_progress"
        run.started_at = int(time.time())
        self._stage.emit_run()

    async def _perform(self, script: tuple[Action, ...]) -> tuple[Call, ...]:
        """Does one action after the other; gives back the calls at which it must stop."""
        for action in script:
            if isinstance(action, Speech):
                self._writer = self._writer or MessageWriter(self._stage)
                await self._writer.write(action)
                continue
            if isinstance(action, NewMessage | CallFunctions | SearchFiles | RunCode):
                self._finish_message()
            if isinstance(action, CallFunctions):
                return action.calls
            if isinstance(action, SearchFiles | RunCode):
                await self._use_built_in(action)
            else:
                await self._happen(action)
        self._finish_message()
        return ()

    async def _use_built_in(self, action: SearchFiles | RunCode) -> None:
        self._tools = ToolStep(self._stage)
        if isinstance(action, SearchFiles):
            await self._tools.search(action)
        else:
            await self._tools.run_code(action)
        self._tools = None

    async def _use_functions(self, calls: tuple[Call, ...]) -> None:
        """Asks for outputs, which ends the streams; goes on when they are there."""
        run = self._kept.run
        self._tools = ToolStep(self._stage)
        required = await self._tools.call(calls)
        run.required_action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": required}}
        run.status = "requires_action"
        self._stage.emit_run()
        self._kept.end_streams(End.DONE)
        outputs = await self._stage.outputs()
        self._kept.rounds.append(self._tools.answer(calls, outputs))
        self._tools = None
        self._stage.emit_run()
        await self._stage.pause(self._stage.pace)
        self._start()

    async def _happen(self, action: Action) -> None:
        match action:
            case Pace(seconds):
                self._stage.pace = seconds
            case Wait(seconds):
                await self._stage.pause(seconds)
            case Hang():
                await self._stage.forever()
            case CutConnection():
                self._kept.end_streams(End.CUT)
            case Fail(fault, message):
                raise RunStops(FAILED, RunError(fault, message))
            case CutShort(reason):
                raise RunStops(OUT_OF_TOKENS if reason is CutReason.LENGTH else FILTERED)
            case Expire():
                raise RunStops(EXPIRED)
            case StreamError(message):
                self._break_streams(message)

    def _break_streams(self, message: str) -> None:
        error = {"code": Fault.SERVER_ERROR, "message": message, "param": None, "type": Fault.SERVER_ERROR}
        self._kept.emit("error", error)
        self._kept.end_streams(End.WITHOUT_DONE)
        raise RunStops(FAILED, RunError(Fault.SERVER_ERROR, message))

    def _finish_message(self) -> None:
        if self._writer is not None:
            self._writer.finish()
            self._writer = None

    def _end(self, ending: Ending, error: RunError | None = None) -> None:
        run = self._kept.run
        if self._writer is not None:
            self._writer.stop(ending, error)
        if self._tools is not None:
            self._tools.stop(ending, error)
        run.status = ending.run
        run.required_action = None
        run.last_error = error
        if ending.run == "incomplete":
            # A run knows no reason for what the content filter cut; its message does.
            run.incomplete_details = {"reason": "max_completion_tokens"} if ending is OUT_OF_TOKENS else {}
        if ended_at := ENDED_AT.get(ending.run):
            setattr(run, ended_at, int(time.time()))
        run.expires_at = None
        written = sum(step.usage.completion_tokens for step in self._kept.steps.values() if step.usage)
        run.usage = self._stage.usage(4 * written)
        self._stage.emit_run()
        self._kept.end_streams(End.DONE)
