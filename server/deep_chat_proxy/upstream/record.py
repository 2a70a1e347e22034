"""What is said in one turn, on its way into the thread's memory.

It is written where something of it must not be forgotten: before tools run, since a call that was made once must
not look new to whoever comes after a crash, and at the turn's end.
"""

from collections.abc import Sequence

from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.events import ToolCall, ToolOutput
from deep_chat_proxy.turn.ports import Thread
from deep_chat_proxy.turn.transcript import (
    Anchor,
    AssistantSaid,
    CallsMade,
    Entry,
    OutputsGiven,
    UserSaid,
    sendable,
)
from deep_chat_proxy.upstream.attachments import MessageFiles


class TurnRecord:
    """The entries of one turn, `entries`, of which the first is the visitor's message; `longest` bounds what is kept of an
    answer that was broken off, in characters: too much may have been why.
    """

    def __init__(self, thread: Thread, files: MessageFiles, said: UserSaid, longest: int) -> None:
        self.entries: list[Entry] = [said]
        self._said = said
        self._thread = thread
        self._files = files
        self._longest = longest
        self._tasks = Tasks()
        self._saved = 0
        self._over = False

    def go_on(self, own: Sequence[Entry]) -> None:
        """Another process has begun the turn and written these already."""
        self.entries = list(own)
        self._saved = len(own)
        self._over = isinstance(own[-1], AssistantSaid)

    def calls(self, text: str, calls: Sequence[ToolCall]) -> None:
        """The assistant makes calls, after it said `text`."""
        self.entries.append(CallsMade(tuple(map(sendable, calls)), text))

    def outputs(self, outputs: Sequence[ToolOutput]) -> None:
        """The calls have their outputs."""
        self.entries.append(OutputsGiven(tuple(outputs)))

    def answer(self, text: str, *, over: bool = True) -> None:
        """The assistant has said this; `over` where nothing follows."""
        self._over = over
        if text:
            self.entries.append(AssistantSaid(text))

    async def break_off(self, text: str, *, failed: bool) -> None:
        """The turn ends without an end of its answer, of which `text` is there.

        What failed before it said anything leaves nothing, since the visitor will send it again.
        """
        # The stop may have come while something was being written.
        await self._tasks.finish()
        if self._over or (failed and not text and not self._saved):
            return
        self.answer(text[: self._longest])
        await self.save()

    async def save(
        self, *, anchor: Anchor | None = None, covered: bool = False, forget: bool = False
    ) -> None:
        """Write what was not written yet, all of it even where the turn is stopped meanwhile; the rest as in the
        turn's `Thread.record`.
        """
        work = self._save(anchor, covered=covered, forget=forget)
        await self._tasks.see_through(work, name="keep what was said")

    async def _save(self, anchor: Anchor | None, *, covered: bool, forget: bool) -> None:
        if not self._saved and not forget:
            self.entries[0] = await self._files.keep(self._said)
        unsaved, self._saved = self.entries[self._saved :], len(self.entries)
        if unsaved or anchor is not None:
            await self._thread.record(unsaved, anchor=anchor, covered=covered, forget=forget)
