"""One turn in the Responses dialect: files, message, responses, outputs, and what is left to end."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from deep_chat_proxy.errors import TOO_MANY_ROUNDS, ChatError
from deep_chat_proxy.turn.events import Completed, ToolCallsRequested, ToolOutput, UpstreamEvent
from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.turn.ports import Listener, Thread
from deep_chat_proxy.turn.transcript import Memory, UserSaid
from deep_chat_proxy.upstream.attachments import MessageFiles
from deep_chat_proxy.upstream.closing import discard, in_time
from deep_chat_proxy.upstream.naming import Naming
from deep_chat_proxy.upstream.picked_up import told
from deep_chat_proxy.upstream.record import TurnRecord
from deep_chat_proxy.upstream.recordings import LISTENING, Recordings
from deep_chat_proxy.upstream.responses.asking import Asking
from deep_chat_proxy.upstream.responses.checkpoint import Checkpoint, Marks
from deep_chat_proxy.upstream.responses.following import ResponseFollower
from deep_chat_proxy.upstream.responses.footing import Footing
from deep_chat_proxy.upstream.responses.made_files import MadeFiles
from deep_chat_proxy.upstream.responses.message import NewMessage, sent_along, uploaded
from deep_chat_proxy.upstream.responses.options import Way
from deep_chat_proxy.upstream.responses.server import ResponsesServer
from deep_chat_proxy.upstream.uploads import Uploads

# How often in a row a model is told that there is nobody to approve of a tool.
_MOST_ASKED = 3

Batches = AsyncGenerator[Sequence[UpstreamEvent]]


class _Begun:
    """What there is of a turn once it is known where it takes place."""

    def __init__(self, footing: Footing, asking: Asking, record: TurnRecord) -> None:
        self.footing = footing
        self.asking = asking
        self.record = record


class ResponsesTurn:
    """Implements `UpstreamTurn`."""

    def __init__(self, server: ResponsesServer, thread: Thread, message: UserMessage) -> None:
        self._server = server
        self._thread = thread
        self._message = message
        self._marks = Marks(thread, Checkpoint())
        self._uploads = Uploads(server.files, thread)
        self._attached = MessageFiles(thread, longest=server.options.longest_text)
        self._naming = Naming(server.files)
        self._recordings = Recordings(server.api.client, server.options.recordings, message)
        self._made = MadeFiles(server.files, server.options.largest_file)
        self._follower = ResponseFollower(server.api, server.options.pace)
        self._begun: _Begun | None = None
        self._failed = False

    def tell(self, listener: Listener, watched: Callable[[], bool]) -> None:
        """As in `UpstreamTurn`."""
        self._follower.watched = watched
        self._follower.listener = lambda words: self._may_tell() and listener(words)

    def _may_tell(self) -> bool:
        """Whether words need not wait: until the message is known to be taken and the response is kept, and for citations
        whose titles are asked for.
        """
        begun = self._begun
        accepted = begun is not None and begun.footing.accepted and begun.asking.is_named
        return accepted and not self._naming.is_asking

    async def start(self) -> Batches:
        """As in `UpstreamTurn`."""
        way = await self._server.abilities.way()
        memory = await self._thread.memory()
        self._marks.read(memory.checkpoint)
        footing = Footing(self._server, self._thread, self._marks, way, memory)
        asking = Asking(self._server, footing, self._marks, self._follower)
        if self._recordings.to_be_heard and not memory.own:
            yield [LISTENING]
        new = await self._new_message(way, memory)
        asking.code_files = new.code_files
        begun = self._begun = _Begun(
            footing,
            asking,
            TurnRecord(self._thread, self._attached, new.said, self._server.options.longest_answer),
        )
        if memory.own:
            begun.record.go_on(memory.own)
            yield (known := told(memory.own, self._follower.translator.said, footing.notice))
            if isinstance(known[-1], ToolCallsRequested | Completed):
                return
        await footing.find()
        async with aclosing(self._respond(begun)) as batches:
            async for batch in batches:
                yield batch

    async def _new_message(self, way: Way, memory: Memory) -> NewMessage:
        upload = self._server.options.upload
        if not (way is Way.CONVERSATION if upload is None else upload):
            if memory.own and isinstance(memory.own[0], UserSaid):
                # Its files are kept with it; those that came may be gone.
                return NewMessage(memory.own[0])
            return await sent_along(await self._recordings.heard(), self._attached)
        message = self._recordings.others if memory.own else await self._recordings.heard()
        with_code = self._server.options.code_interpreter
        return await uploaded(message, self._uploads, memory.uploads, with_code=with_code)

    async def submit(self, outputs: Sequence[ToolOutput]) -> Batches:
        """As in `UpstreamTurn`."""
        if self._begun is None:
            raise AssertionError("outputs come after the calls they answer")
        self._begun.record.outputs(outputs)
        async with aclosing(self._respond(self._begun)) as batches:
            async for batch in batches:
                yield batch

    async def _respond(self, begun: _Begun) -> Batches:
        """Make responses until one of them ends with something that is not ours to answer."""
        for _ in range(_MOST_ASKED):
            try:
                async with aclosing(self._one_response(begun)) as batches:
                    async for batch in batches:
                        yield batch
            except ChatError:
                self._failed = True
                raise
            approvals = self._follower.translator.approvals
            if not approvals or self._follower.translator.calls:
                return
        raise ChatError(TOO_MANY_ROUNDS, f"asked for approvals {_MOST_ASKED} times in a row")

    async def _one_response(self, begun: _Begun) -> Batches:
        translator, kept = self._follower.translator, False
        async with aclosing(begun.asking.ask(begun.record.entries, self._attached)) as batches:
            async for batch in batches:
                if accepted := await begun.footing.accept(translator.said):
                    yield accepted
                if translator.ended and not translator.failed and not kept:
                    kept = True
                    await self._keep(begun)
                yield await self._naming.named(await self._made.fetched(batch))

    async def _keep(self, begun: _Begun) -> None:
        """Remember what a response has said, and where the next one belongs."""
        translator, record, place = self._follower.translator, begun.record, begun.footing.place
        response_id = translator.response_id or ""
        self._server.abilities.made(response_id)
        begun.asking.to_decline = translator.approvals
        if translator.calls:
            record.calls(translator.text, translator.calls)
        else:
            record.answer(translator.text, over=not translator.approvals)
        anchor = place.advance(response_id, record.entries, translator.newest)
        if translator.calls or not translator.approvals:
            # Calls are written before they are run: a conversation waits for their outputs, whatever happens.
            forget = place.way is Way.CONVERSATION and not translator.calls
            await record.save(anchor=anchor, covered=anchor is not None, forget=forget)

    async def leave(self) -> None:
        """As in `UpstreamTurn`."""
        await self._naming.close()
        await self._uploads.leave()
        await self._follower.leave()
        await self._made.discard()

    async def close(self) -> None:
        """As in `UpstreamTurn`."""
        within = self._server.options.close_within
        await self._naming.close()
        try:
            await in_time(self._follower.end(), within, "the response could not be ended")
            if self._begun is not None and self._begun.footing.accepted:
                translator = self._follower.translator
                text = "" if translator.ended and not translator.failed else translator.text_in_view
                await self._begun.record.break_off(text, failed=self._failed or translator.failed)
            elif not self._marks.now.sending:
                await in_time(self._take_back(), within, "what was not used stays at the back end")
        finally:
            await self._made.discard()
            await discard(self._message.attachments)

    async def _take_back(self) -> None:
        """Nothing stays of a message that was not taken."""
        try:
            if self._begun is not None:
                await self._begun.footing.take_back()
        finally:
            await self._uploads.take_back()
