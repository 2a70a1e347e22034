"""Where the responses of a turn belong at the back end, and what of the conversation has to go along with them."""

from collections.abc import Sequence

from msgspec.structs import replace

from deep_chat_proxy.turn.transcript import (
    Anchor,
    AnchorKind,
    Entry,
    Memory,
    UserSaid,
    alternating,
    mended,
    newest,
    without_files,
)
from deep_chat_proxy.upstream.responses.options import Way

_KINDS = {Way.CONVERSATION: AnchorKind.CONVERSATION, Way.CHAIN: AnchorKind.RESPONSE}


class Place:
    """The place of one turn. `conversation` and `previous` are the back end's ids, at most one of them is set."""

    def __init__(self, way: Way, memory: Memory, history_tokens: int) -> None:
        self.way = way
        self.conversation: str | None = None
        self.previous: str | None = None
        self._memory = memory
        self._tokens = history_tokens
        self._sent = 0
        """How many of the turn's own entries the back end holds already."""
        kind = _KINDS.get(way)
        anchor = memory.anchored(kind) if kind is not None else None
        self.newest = memory.anchor.newest if memory.anchor is not None else None
        """The last item that is known to be in the conversation."""
        if way is Way.CONVERSATION:
            self.conversation = anchor
        elif way is Way.CHAIN:
            self.previous = anchor

    @staticmethod
    def can_continue(way: Way, memory: Memory) -> bool:
        """Whether a thread can go on in this way: it is anchored in it, or all that was said is with us."""
        return memory.whole or (memory.anchor is not None and memory.anchor.kind is _KINDS.get(way))

    @property
    def body(self) -> dict[str, object]:
        """The fields of a request that name the place; a conversation as a string, since OGX takes no object."""
        if self.conversation is not None:
            return {"conversation": self.conversation}
        if self.previous is not None:
            return {"previous_response_id": self.previous}
        # In a chain, the first response begins it; where we keep the history nobody else needs to.
        return {} if self.way is Way.CHAIN else {"store": False}

    def entries(self, own: Sequence[Entry]) -> tuple[Entry, ...]:
        """What the next request has to bring, where `own` are the entries of this turn so far."""
        if self._sent:
            return tuple(own[self._sent :])
        if not self.anchored:
            earlier = mended(self._memory.entries)[1]
            return alternating((*newest(earlier, self._tokens), *own))
        earlier = self._memory.missing
        # In front of a message of the visitor's stands what belongs to calls that the back end has.
        begins = next((at for at, entry in enumerate(earlier) if isinstance(entry, UserSaid)), len(earlier))
        return (*earlier[:begins], *newest(earlier[begins:], self._tokens), *own)

    @property
    def anchored(self) -> bool:
        """Whether the back end is asked to go on from something that it keeps."""
        return self.conversation is not None or self.previous is not None

    def go_on(self, own: int) -> None:
        """The back end holds so many of the turn's own entries already."""
        self._sent = own

    @property
    def uncovered(self) -> tuple[Entry, ...]:
        """What was said before the turn and the back end is not known to hold."""
        return self._memory.entries[self._memory.covered :]

    def cover(self, count: int) -> None:
        """The back end holds so many of the uncovered entries after all."""
        self._memory = replace(self._memory, covered=self._memory.covered + count)

    def detach(self, way: Way) -> None:
        """The back end has forgotten the response that the chain hangs on: what was said is sent again. `way` is how
        the turn goes on.
        """
        self.way = way
        self.previous = None
        self._sent = 0

    @property
    def has_files(self) -> bool:
        """Whether what was said before is sent with files in it."""
        earlier = self.entries(())
        return without_files(earlier) != earlier

    def name_files(self) -> None:
        """Send no files of what was said before, only their names."""
        self._memory = replace(self._memory, entries=without_files(self._memory.entries))

    def enter(self, conversation: str, memory: Memory) -> None:
        """The conversation at the back end in which the turn takes place."""
        self.conversation = conversation
        self.newest = None
        self._memory = memory
        self._sent = 0

    def halve(self) -> bool:
        """Send less of the conversation from now on; returns whether there is less to be sent."""
        before = len(self.entries(()))
        while self._tokens > 0 and len(self.entries(())) == before:
            self._tokens //= 2
        return len(self.entries(())) < before

    def advance(self, response_id: str, own: Sequence[Entry], newest: str | None) -> Anchor | None:
        """A response was completed, so the back end has what was sent and said, all of `own`, of which the item
        `newest` is the last. Returns the new anchor, None where we keep the history.
        """
        if self.way is Way.HISTORY:
            return None
        self._sent = len(own)
        if self.way is Way.CHAIN:
            self.previous = response_id
            return Anchor(AnchorKind.RESPONSE, response_id)
        self.newest = newest or self.newest
        return Anchor(AnchorKind.CONVERSATION, self.conversation or "", self.newest)
