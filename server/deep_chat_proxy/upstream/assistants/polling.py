"""Following a run by asking for it: pauses that grow, and the server's own hint where it gives one."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from msgspec import Struct

from deep_chat_proxy.turn.events import Status, UpstreamEvent
from deep_chat_proxy.upstream.assistants.api import AssistantsApi
from deep_chat_proxy.upstream.assistants.translate import Translator
from deep_chat_proxy.upstream.assistants.wire import RUN_ENDED

_STATUS = {"queued": "Waiting for the assistant…", "in_progress": "Thinking…"}


class PollPace(Struct, frozen=True):
    """Pauses between two looks at a run, in seconds: the first, the longest, and how fast they grow."""

    first: float = 0.4
    longest: float = 1.0
    growth: float = 1.5

    def pauses(self) -> "Pauses":
        """The pauses of one run."""
        return Pauses(self)


class Pauses:
    """How long to wait before the next look."""

    def __init__(self, pace: PollPace) -> None:
        self._pace = pace
        self._next = pace.first

    async def wait(self, hint: float | None) -> None:
        """Wait for the next look; `hint` is the server's wish in seconds, if it has one."""
        await asyncio.sleep(self.length(hint))

    def length(self, hint: float | None) -> float:
        """How long the next pause is, in seconds; a hint is obeyed up to ten of them."""
        pause = self._next if hint is None else min(max(hint, self._pace.first), 10.0)
        self._next = min(self._next * self._pace.growth, self._pace.longest)
        return pause


async def poll(
    api: AssistantsApi, translator: Translator, thread_id: str, run_id: str, pace: PollPace
) -> AsyncGenerator[Sequence[UpstreamEvent]]:
    """Follow a run to its end or until it waits for outputs; what it said comes whole, then its end."""
    pauses = pace.pauses()
    status = ""
    while True:
        run, hint = await api.get_run(thread_id, run_id)
        if run.status in RUN_ENDED or run.status == "requires_action":
            break
        if run.status != status:
            status = run.status
            if label := _STATUS.get(status):
                yield [Status(label)]
        await pauses.wait(hint)
    out: list[UpstreamEvent] = []
    for message in await api.messages_of_run(thread_id, run_id):
        translator.take_message(message, out, whole=True)
    translator.take_run(run, out)
    yield out


async def wait_until_ended(api: AssistantsApi, thread_id: str, run_id: str, pace: PollPace) -> None:
    """Wait for a run that was cancelled, or is to end by itself."""
    pauses = pace.pauses()
    while True:
        run, hint = await api.get_run(thread_id, run_id)
        if run.status in RUN_ENDED:
            return
        await pauses.wait(hint)
