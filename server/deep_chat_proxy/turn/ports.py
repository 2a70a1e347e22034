"""What a turn needs from the rooms around it; they implement these, the turn knows nothing else of them."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Protocol

from deep_chat_proxy.turn.events import ChatFile, FileMade, TextDelta, ToolCall, ToolOutput, UpstreamEvent
from deep_chat_proxy.turn.held import Held
from deep_chat_proxy.turn.journal import EndedTurn
from deep_chat_proxy.turn.message import Attachment, UserMessage
from deep_chat_proxy.turn.transcript import Anchor, Entry, Memory

Listener = Callable[[TextDelta], bool]
"""Takes words at once; where it returns False, they are to come in a batch."""


class UpstreamTurn(Protocol):
    """One turn at the back end, in whatever dialect."""

    def tell(self, listener: Listener, watched: Callable[[], bool]) -> None:
        """From now on words with nothing else beside them may be told to `listener`, in their order with the batches:
        nobody has to be woken for them. Where the turn is not `watched` nobody reads along, and while the server is busy
        all of it may come a little later.
        """

    def start(self) -> AsyncGenerator[Sequence[UpstreamEvent]]:
        """Post the message and follow the answer, in batches: to a terminal event or `ToolCallsRequested`, as the last.

        A turn that another process has begun goes on from where the back end has it. An empty batch says that the
        back end is alive. Raises ChatError where it refuses, fails or cannot be reached.
        """

    def submit(self, outputs: Sequence[ToolOutput]) -> AsyncGenerator[Sequence[UpstreamEvent]]:
        """Give the outputs of all calls that were requested, and go on as `start` does."""

    async def close(self) -> None:
        """End what is still open at the back end (cancel a run that goes on) and let go of the attachments.

        Never raises for a back end that does not answer. Either this or `leave` is called, once, whatever happened
        before.
        """

    async def leave(self) -> None:
        """Let go of connections and nothing else: another process will pick the turn up."""


class Thread(Protocol):
    """What a dialect may know of the thread it answers on, asked when its turn begins and not before: a turn may
    have to wait for one that changes it.
    """

    @property
    def turn_id(self) -> str:
        """Our own id of the turn, by which what it made can be found at the back end."""

    async def memory(self) -> Memory:
        """What the back end has of it, and what we have."""

    async def checkpoint(self, body: bytes, *held: Held) -> None:
        """Keep where the turn is, in the dialect's own words: before a call that changes something at the back end
        what is about to happen, behind it what came of it. `memory` gives the last one to whoever picks it up. `held`
        is what the back end holds from now on.
        """

    async def hold(self, held: Held) -> None:
        """The back end holds something for the thread from now on; it is deleted there with the thread."""

    async def reuse(self, held: Held) -> bool:
        """Something that was `spare` is used once more; False where it is about to be deleted."""

    async def release(self, held: Held) -> None:
        """The back end no longer holds something."""

    async def spare(self, held: Held) -> bool:
        """Something may be needed once more soon, or else be deleted. False where nothing is kept for that, and whoever
        made it has to delete it.
        """

    async def record(
        self,
        add: Sequence[Entry] = (),
        *,
        anchor: Anchor | None = None,
        covered: bool = False,
        forget: bool = False,
        checkpoint: bytes | None = None,
    ) -> None:
        """Keep more of what was said, all at once with what stands for the thread at the back end from now on.

        `covered`: the anchor holds all entries, these too; a new one holds none otherwise. `forget`: those of
        earlier turns need not be kept any longer. `checkpoint` is kept with it, as `checkpoint` does.
        """

    async def restart(self) -> None:
        """The conversation begins anew: no anchor, no entries."""

    async def keep_file(self, attachment: Attachment) -> str:
        """Keep a copy of an attachment's content; returns the key to `read_file`."""

    async def read_file(self, key: str) -> bytes | None:
        """What was kept; None where it had to make room for something newer."""


class Dialect(Protocol):
    """Speaks one protocol with one back end."""

    @property
    def name(self) -> str:
        """What `DEEP_CHAT_UPSTREAM` calls it."""

    async def prepare(self) -> None:
        """Find out what the back end can do, before a turn has to wait for that. Raises ChatError."""

    def turn(self, thread: Thread, message: UserMessage) -> UpstreamTurn:
        """A turn that answers `message` on `thread`."""

    async def delete(self, held: Held) -> None:
        """Delete what was held for a thread that is no more; what is not there, or of another protocol, is no fault.
        Raises ChatError.
        """

    async def title(self, model: str, text: str) -> str | None:
        """A title that `model` makes for the conversation which begins with `text`; None where this protocol has no
        cheap way to ask for one. Raises ChatError.
        """


class Tools(Protocol):
    """Runs the function calls of a model."""

    async def run(self, call: ToolCall) -> ToolOutput:
        """The call's output; a failure of any kind is an output too, never an exception."""

    def label(self, name: str) -> str:
        """A short sentence that tells a visitor what the tool does."""

    def repeatable(self, name: str) -> bool:
        """Whether a call of this tool may be run once more where nobody knows what came of it."""


class Keeper(Protocol):
    """Remembers what must survive the turn, and the process that plays it."""

    async def begin(self) -> bool:
        """The turn is under way from now on; False where another one is on its thread."""

    async def stopping(self) -> None:
        """The turn was asked to end, so whoever picks it up is to end it too."""

    async def end(self, ended: EndedTurn, *, seen: bool) -> None:
        """The turn is over. `seen`: somebody followed it to its end."""

    async def begin_calls(
        self, calls: Sequence[ToolCall], *, picked_up: bool
    ) -> Mapping[str, ToolOutput | None]:
        """These calls are run now. Where the turn was `picked_up` just now, returns those of them that had been begun
        before, by their ids, with their outputs where they had come to one.
        """

    async def call_ended(self, output: ToolOutput) -> None:
        """A call has its output."""

    async def file_made(self, made: FileMade) -> ChatFile:
        """Take a file of the assistant into the visitor's thread; returns what the visitor may know of it."""

    async def known_file(self, upstream_id: str) -> ChatFile | None:
        """A file of the thread that the visitor can fetch, by the back end's name for it."""
