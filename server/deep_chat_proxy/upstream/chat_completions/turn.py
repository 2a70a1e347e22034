"""One turn in the Chat Completions dialect: history, message, completions, outputs."""

import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

import aiohttp

from deep_chat_proxy.errors import CONTEXT_TOO_LONG, CUT_OFF, ChatError
from deep_chat_proxy.turn.context import current_turn
from deep_chat_proxy.turn.events import Accepted, Completed, ToolCallsRequested, ToolOutput, UpstreamEvent
from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.turn.ports import Listener, Thread
from deep_chat_proxy.turn.transcript import Entry, Memory, UserSaid, mended, newest, without_files
from deep_chat_proxy.upstream.attachments import NOT_TAKEN, MessageFiles
from deep_chat_proxy.upstream.chat_completions.messages import HEARD, messages
from deep_chat_proxy.upstream.chat_completions.server import ChatServer
from deep_chat_proxy.upstream.chat_completions.translate import Translator
from deep_chat_proxy.upstream.client import cut, drained
from deep_chat_proxy.upstream.closing import discard
from deep_chat_proxy.upstream.failures import UpstreamError
from deep_chat_proxy.upstream.notices import THREAD_ELSEWHERE
from deep_chat_proxy.upstream.opening import on_its_way, presumed_taken
from deep_chat_proxy.upstream.picked_up import told
from deep_chat_proxy.upstream.record import TurnRecord
from deep_chat_proxy.upstream.recordings import LISTENING, Recordings

logger = logging.getLogger("deep_chat_proxy.upstream")

Batches = AsyncGenerator[Sequence[UpstreamEvent]]

# How often a completion is asked for whose connection breaks.
_MOST_TRIES = 3


class ChatTurn:
    """Implements `UpstreamTurn`."""

    def __init__(self, server: ChatServer, thread: Thread, message: UserMessage) -> None:
        self._server = server
        self._thread = thread
        self._message = message
        self._files = MessageFiles(thread, longest=server.options.longest_text)
        self._recordings = Recordings(server.client, server.options.recordings, message, passed=HEARD)
        self._translator = Translator()
        self._earlier: tuple[Entry, ...] = ()
        self._tokens = server.options.history_tokens
        self._record: TurnRecord | None = None
        self._notice = ""
        self._accepted = False
        self._failed = False
        self._listener: Listener = lambda _: False
        self._watched: Callable[[], bool] = lambda: True

    def tell(self, listener: Listener, watched: Callable[[], bool]) -> None:
        """As in `UpstreamTurn`."""
        self._listener, self._watched = listener, watched

    async def start(self) -> Batches:
        """As in `UpstreamTurn`."""
        memory = await self._thread.memory()
        if not memory.whole:
            self._notice = THREAD_ELSEWHERE
            memory = Memory()
        self._earlier = newest(mended(memory.entries)[1], self._tokens)
        own = memory.own
        if self._recordings.to_be_heard and not own:
            yield [LISTENING]
        message = self._message if own else await self._recordings.heard()
        files = () if own else await self._files.take(message.attachments)
        record = self._record = TurnRecord(
            self._thread, self._files, UserSaid(message.text, files), self._server.options.longest_answer
        )
        if memory.own:
            record.go_on(memory.own)
            self._accepted = True
            yield (known := told(memory.own, self._translator.said))
            if isinstance(known[-1], ToolCallsRequested | Completed):
                return
        async with aclosing(self._complete(record)) as batches:
            async for batch in batches:
                yield batch

    async def submit(self, outputs: Sequence[ToolOutput]) -> Batches:
        """As in `UpstreamTurn`."""
        if self._record is None:
            raise AssertionError("outputs come after the calls they answer")
        self._record.outputs(outputs)
        async with aclosing(self._complete(self._record)) as batches:
            async for batch in batches:
                yield batch

    async def _complete(self, record: TurnRecord) -> Batches:
        """One completion, from the call to what it ended with. It is asked for once more where its connection breaks:
        the back end keeps nothing of it.
        """
        for tries_left in reversed(range(_MOST_TRIES)):
            self._translator.begin()
            try:
                async with aclosing(self._one_completion(record)) as batches:
                    async for batch in batches:
                        yield batch
                break
            except ChatError as fault:
                # What is lost after the end of the answer is only the connection.
                if self._translator.ended and not self._translator.failed:
                    break
                if not (tries_left and cut(fault)):
                    self._failed = True
                    raise
                logger.info("turn %s: an answer was lost, asking again: %s", current_turn.get(), fault.cause)
                self._translator.lose()
        last: list[UpstreamEvent] = []
        self._translator.finish(last)
        if not self._translator.failed:
            await self._keep(record)
        if last:
            yield last

    async def _one_completion(self, record: TurnRecord) -> Batches:
        async with on_its_way(self._open(record)) as opening:
            if not self._server.options.stream and await presumed_taken(opening):
                yield await self._accept()
            response = await opening
            yield await self._accept()
            async with aclosing(self._read(response)) as batches:
                async for batch in batches:
                    yield batch
        if not (self._translator.ended or self._translator.failed):
            raise ChatError(CUT_OFF, "the stream ended without saying how")

    async def _open(self, record: TurnRecord) -> aiohttp.ClientResponse:
        """Send the request; again where the back end refused something that can be left out."""
        while True:
            entries = (*self._earlier, *record.entries)
            call = self._server.completion(
                await messages(self._server.options.instructions, entries, self._files)
            )
            try:
                return await self._server.client.begin(call)
            except UpstreamError as fault:
                if not (self._server.stop_counting(fault) or self._shortened(fault) or self._plainer(fault)):
                    raise

    def _plainer(self, fault: UpstreamError) -> bool:
        """Where files of earlier messages may be what the model cannot take, only name them."""
        plain = without_files(self._earlier)
        if fault.status not in NOT_TAKEN or plain == self._earlier:
            return False
        self._earlier = plain
        return True

    def _shortened(self, fault: UpstreamError) -> bool:
        """Where all of it is too long for the model, send half of what was said before."""
        if fault.problem is not CONTEXT_TOO_LONG or not self._earlier:
            return False
        before = len(self._earlier)
        while len(self._earlier) == before:
            self._tokens //= 2
            self._earlier = newest(self._earlier, self._tokens)
        return True

    async def _accept(self) -> Sequence[UpstreamEvent]:
        """The back end has taken the message; says so once."""
        if self._accepted:
            return []
        self._accepted = True
        if not self._notice:
            return [Accepted()]
        # Not before: a visitor whose message was refused is to be told with the next one.
        await self._thread.restart()
        return [Accepted(), *self._translator.said.notice(self._notice)]

    async def _read(self, response: aiohttp.ClientResponse) -> Batches:
        client = self._server.client
        if response.content_type != "text/event-stream":
            out: list[UpstreamEvent] = []
            self._translator.take_whole((await client.read(response)).body, out)
            yield out
            return
        with client.events(response, self._listener, self._watched) as stream:
            while events := await stream.next():
                batch: list[UpstreamEvent] = []
                try:
                    self._translator.take(events, batch)
                except ChatError:
                    yield batch
                    raise
                if not stream.told(batch):
                    yield batch
                if self._translator.over:
                    await drained(response)
                    return

    async def _keep(self, record: TurnRecord) -> None:
        """Remember what was said; calls before they are run, since nobody else would know that they were."""
        if self._translator.calls:
            record.calls(self._translator.text, self._translator.calls)
        else:
            record.answer(self._translator.text)
        await record.save()

    async def leave(self) -> None:
        """As in `UpstreamTurn`. There is nothing to let go of."""

    async def close(self) -> None:
        """As in `UpstreamTurn`. A completion ends with its connection."""
        try:
            if self._accepted and self._record is not None:
                text = "" if self._translator.calls else self._translator.text_in_view
                failed = self._failed or self._translator.failed
                await self._record.break_off(text, failed=failed)
        finally:
            await discard(self._message.attachments)
