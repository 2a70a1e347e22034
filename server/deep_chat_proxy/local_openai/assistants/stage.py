"""What the parts of a run's life share: its events, its time, its steps and its files."""

import asyncio
import time
from typing import Any

import msgspec
from msgspec import Struct

from deep_chat_proxy.local_openai.assistants.kept import RunKept, ThreadKept
from deep_chat_proxy.local_openai.assistants.objects import RunError, RunStep, Usage
from deep_chat_proxy.local_openai.brain.actions import MadeFile
from deep_chat_proxy.local_openai.ids import new_id
from deep_chat_proxy.local_openai.objects import OUTPUT
from deep_chat_proxy.local_openai.state import LocalState

CHARACTERS_PER_TOKEN = 4


class Ending(Struct, frozen=True):
    """How a run ends, and what that means for a step and a message that are under way."""

    run: str
    step: str
    message: str | None
    """The reason for which the message is incomplete; None where it is complete."""


COMPLETED = Ending("completed", "completed", None)
FAILED = Ending("failed", "failed", "run_failed")
CANCELLED = Ending("cancelled", "cancelled", "run_cancelled")
EXPIRED = Ending("expired", "expired", "run_expired")
OUT_OF_TOKENS = Ending("incomplete", "completed", "max_tokens")
FILTERED = Ending("incomplete", "completed", "content_filter")


class RunStops(Exception):  # noqa: N818 - no error: the run has come to an end
    """Leaves the script of a run, wherever it is."""

    def __init__(self, ending: Ending, error: RunError | None = None) -> None:
        super().__init__(ending.run)
        self.ending = ending
        self.error = error


class Stage:
    """The run in its thread."""

    def __init__(self, state: LocalState, thread: ThreadKept, kept: RunKept) -> None:
        self.state = state
        self.thread = thread
        self.kept = kept
        self.pace = state.options.token_delay
        """Seconds between two pieces of text."""

    def emit_run(self) -> None:
        """The event that is named after the run's state."""
        self.kept.emit(f"thread.run.{self.kept.run.status}", self.kept.run)

    async def pause(self, seconds: float) -> None:
        """Wait, at least for a turn of the loop. Raises RunStops once the run is cancelled or its time is over."""
        loop = asyncio.get_running_loop()
        if seconds <= 0:
            await asyncio.sleep(0)
        else:
            try:
                async with asyncio.timeout(min(seconds, self.kept.deadline - loop.time())):
                    await self.kept.wake.wait()
            except TimeoutError:
                pass
        self._check()

    def _check(self) -> None:
        if self.kept.cancel_asked:
            raise RunStops(CANCELLED)
        if asyncio.get_running_loop().time() >= self.kept.deadline:
            raise RunStops(EXPIRED)

    async def forever(self) -> None:
        """Wait for the end of the run's time. Raises RunStops."""
        while True:
            await self.pause(float("inf"))

    async def outputs(self) -> dict[str, str]:
        """Tool outputs by call id, once they are there. Raises RunStops where they do not come."""
        while self.kept.outputs is None:
            await self.pause(float("inf"))
        outputs, self.kept.outputs = self.kept.outputs, None
        self._check()
        self.kept.wake.clear()
        return outputs

    def publish(self, made: MadeFile) -> str:
        """The id of a file that the assistant made; the same file has the same id all through the run."""
        if made not in self.kept.published:
            self.kept.published[made] = self.state.add_file(made.name, made.data, OUTPUT).id
        return self.kept.published[made]

    def open_step(self, kind: str, content: Any) -> RunStep:
        """A step of type `kind`; `content` is the field of that name in its details."""
        run = self.kept.run
        step = RunStep(
            id=new_id("step_"),
            created_at=int(time.time()),
            run_id=run.id,
            assistant_id=run.assistant_id,
            thread_id=run.thread_id,
            type=kind,
            step_details={"type": kind, kind: content},
        )
        self.kept.steps[step.id] = step
        self._emit_step("created", step)
        self._emit_step("in_progress", step)
        return step

    def close_step(self, step: RunStep, status: str = "completed", error: RunError | None = None) -> None:
        step.status = status
        setattr(step, f"{status}_at", int(time.time()))
        step.last_error = error
        step.usage = self.usage(len(msgspec.json.encode(step.step_details)))
        self._emit_step(status, step)

    def emit_delta(self, step: RunStep, call: dict[str, Any]) -> None:
        """More of one tool call of a step; `call` has its `index`."""
        delta = {"step_details": {"type": "tool_calls", "tool_calls": [call]}}
        self.kept.emit(
            "thread.run.step.delta", {"id": step.id, "object": "thread.run.step.delta", "delta": delta}
        )

    def _emit_step(self, event: str, step: RunStep) -> None:
        shown = shown_step(step, with_content=self.kept.with_search_content)
        self.kept.emit(f"thread.run.step.{event}", shown)

    def usage(self, written: int) -> Usage:
        """A plausible count for `written` characters of output."""
        prompt = 1 + self.thread.taken_in // CHARACTERS_PER_TOKEN
        completion = 1 + written // CHARACTERS_PER_TOKEN
        return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def shown_step(step: RunStep, *, with_content: bool) -> Any:
    """A step for the wire: the text that a file search found is shown only to those who ask (`include`)."""
    shown = msgspec.to_builtins(step)
    if not with_content:
        for call in shown["step_details"].get("tool_calls", ()):
            for result in call.get("file_search", {}).get("results", ()):
                result.pop("content", None)
    return shown
