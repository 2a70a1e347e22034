"""What a turn stands on: its place at the back end, and what was done to have one.

The thread changes only when the back end has taken the message: one whose message was refused is still what it was.
"""

from collections.abc import Sequence

from deep_chat_proxy.turn.events import Accepted, UpstreamEvent
from deep_chat_proxy.turn.held import Held, HeldKind
from deep_chat_proxy.turn.ports import Thread
from deep_chat_proxy.turn.transcript import Anchor, AnchorKind, Memory
from deep_chat_proxy.upstream.notices import THREAD_ELSEWHERE, THREAD_LOST
from deep_chat_proxy.upstream.responses.arrived import how_many, new_items
from deep_chat_proxy.upstream.responses.checkpoint import Marks
from deep_chat_proxy.upstream.responses.options import Way
from deep_chat_proxy.upstream.responses.place import Place
from deep_chat_proxy.upstream.responses.server import ResponsesServer
from deep_chat_proxy.upstream.said import Said


class Footing:
    """`place` is where the turn takes place, `notice` what the visitor is told of it; `accepted`: the back end has
    taken the message.
    """

    def __init__(
        self, server: ResponsesServer, thread: Thread, marks: Marks, way: Way, memory: Memory
    ) -> None:
        self._server = server
        self._thread = thread
        self._marks = marks
        self._opened = marks.now.conversation
        self.notice = marks.now.notice
        self.accepted = bool(memory.own)
        if not Place.can_continue(way, memory):
            memory, self.notice = Memory(), THREAD_ELSEWHERE
        self._memory = memory
        self.place = Place(way, memory, server.options.history_tokens)
        self.place.go_on(memory.own_covered)

    async def find(self) -> None:
        """A conversation to be in; what an earlier turn may have left half done in it is looked at. Raises ChatError."""
        place = self.place
        if place.way is not Way.CONVERSATION:
            return
        if place.conversation is None and self._opened is not None:
            place.enter(self._opened, Memory(entries=self._memory.entries))
        elif place.conversation is None:
            await self._open(self._memory)
        elif self._opened is None and place.uncovered:
            items = await new_items(self._server.api, place.conversation, place.newest)
            if items is None:
                await self.open_another()
            else:
                place.cover(how_many(place.uncovered, items))

    async def open_another(self) -> None:
        """The conversation is no longer there, nor anything of what was said in it. Raises ChatError."""
        self.notice = THREAD_LOST
        await self._open(Memory())

    async def _open(self, memory: Memory) -> None:
        """What we have of the conversation so far goes there with the message."""
        self._opened = await self._server.api.create_conversation()
        opened = Held(HeldKind.CONVERSATION, self._opened)
        await self._marks.keep(opened, conversation=self._opened, notice=self.notice)
        self.place.enter(self._opened, Memory(entries=memory.entries))

    async def accept(self, said: Said) -> Sequence[UpstreamEvent]:
        """The back end has taken the message; says so once."""
        if self.accepted:
            return []
        self.accepted = True
        if self.notice:
            await self._thread.restart()
        if self._opened is not None:
            await self._thread.record(anchor=Anchor(AnchorKind.CONVERSATION, self._opened))
        return [Accepted(), *(said.notice(self.notice) if self.notice else ())]

    async def take_back(self) -> None:
        """Nothing stays of a conversation that was opened for nothing. Raises ChatError."""
        if self._opened is not None:
            await self._server.api.delete_conversation(self._opened)
