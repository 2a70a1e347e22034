"""One turn in the Responses dialect: files, message, responses, outputs, and what is left to end."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from msgspec.structs import replace

from deep_chat_proxy.errors import CUT_OFF, TOO_MANY_ROUNDS, ChatError
from deep_chat_proxy.turn.context import current_turn
from deep_chat_proxy.turn.events import Accepted, Completed, ToolCallsRequested, ToolOutput, UpstreamEvent
from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.turn.ports import Thread
from deep_chat_proxy.turn.transcript import Anchor, AnchorKind, Memory
from deep_chat_proxy.upstream.attachments import MessageFiles
from deep_chat_proxy.upstream.client import Call, cut, surely_not_taken
from deep_chat_proxy.upstream.closing import discard, in_time
from deep_chat_proxy.upstream.failures import UpstreamError
from deep_chat_proxy.upstream.notices import THREAD_ELSEWHERE, THREAD_LOST
from deep_chat_proxy.upstream.picked_up import told
from deep_chat_proxy.upstream.record import TurnRecord
from deep_chat_proxy.upstream.responses.arrived import answer_to, how_many, made_response, new_items
from deep_chat_proxy.upstream.responses.checkpoint import Checkpoint, read
from deep_chat_proxy.upstream.responses.following import ResponseFollower
from deep_chat_proxy.upstream.responses.items import Item, declined, items
from deep_chat_proxy.upstream.responses.made_files import MadeFiles
from deep_chat_proxy.upstream.responses.message import NewMessage, sent_along, uploaded
from deep_chat_proxy.upstream.responses.options import Way
from deep_chat_proxy.upstream.responses.place import Place
from deep_chat_proxy.upstream.responses.remedies import Remedy, open_outputs, remedy_for
from deep_chat_proxy.upstream.responses.server import ResponsesServer
from deep_chat_proxy.upstream.responses.translate import Told
from deep_chat_proxy.upstream.responses.wire import Item as KeptItem
from deep_chat_proxy.upstream.responses.wire import Response
from deep_chat_proxy.upstream.uploads import Uploads

logger = logging.getLogger("deep_chat_proxy.upstream")

# How often in a row a model is told that there is nobody to approve of a tool.
_MOST_ASKED = 3
# How often a response is asked for that is lost with its connection.
_MOST_TRIES = 3

Batches = AsyncGenerator[Sequence[UpstreamEvent]]


class ResponsesTurn:
    """Implements `UpstreamTurn`."""

    def __init__(self, server: ResponsesServer, thread: Thread, message: UserMessage) -> None:
        self._server = server
        self._thread = thread
        self._message = message
        self._uploads = Uploads(server.files)
        self._attached = MessageFiles(thread, longest=server.options.longest_text)
        self._made = MadeFiles(server.files, server.options.largest_file)
        self._follower = ResponseFollower(server.api, server.options.pace)
        self._place: Place | None = None
        self._record: TurnRecord | None = None
        self._code_files: tuple[str, ...] = ()
        self._open_outputs: list[Item] = []
        self._to_decline: Sequence[KeptItem] = ()
        self._tried: set[Remedy] = set()
        self._notice = ""
        self._opened: str | None = None
        self._mark = Checkpoint()
        self._looked = False
        self._pauses = server.options.pace.pauses()
        self._wait_until: float | None = None
        self._kept = False
        self._accepted = False
        self._failed = False

    async def start(self) -> Batches:
        """As in `UpstreamTurn`."""
        way = await self._server.abilities.way()
        memory = await self._thread.memory()
        self._mark = read(memory.checkpoint)
        self._notice, self._opened = self._mark.notice, self._mark.conversation
        if not Place.can_continue(way, memory):
            memory, self._notice = Memory(), THREAD_ELSEWHERE
        place = self._place = Place(way, memory, self._server.options.history_tokens)
        new = await self._new_message(way)
        self._code_files = new.code_files
        record = self._record = TurnRecord(self._thread, self._attached, new.said)
        if memory.own:
            yield (known := self._go_on(place, record, memory))
            if isinstance(known[-1], ToolCallsRequested | Completed):
                return
        await self._find_place(place, memory)
        async with aclosing(self._respond(place, record)) as batches:
            async for batch in batches:
                yield batch

    def _go_on(self, place: Place, record: TurnRecord, memory: Memory) -> Sequence[UpstreamEvent]:
        """Go on from what another process has written of this turn."""
        record.go_on(memory.own)
        place.go_on(memory.own_covered)
        self._accepted = True
        return told(memory.own, self._follower.translator.said, self._notice)

    async def _find_place(self, place: Place, memory: Memory) -> None:
        """A conversation to be in; what an earlier turn may have left half done in it is looked at."""
        if place.way is not Way.CONVERSATION:
            return
        if place.conversation is None and self._opened is not None:
            place.enter(self._opened, Memory(entries=memory.entries))
        elif place.conversation is None:
            await self._open_conversation(place, memory)
        elif self._opened is None and place.uncovered:
            items = await new_items(self._server.api, place.conversation, place.newest)
            place.cover(how_many(place.uncovered, items))

    async def _new_message(self, way: Way) -> NewMessage:
        upload = self._server.options.upload
        if not (way is Way.CONVERSATION if upload is None else upload):
            return await sent_along(self._message, self._attached)
        with_code = self._server.options.code_interpreter
        stored = self._mark.stored
        new = await uploaded(self._message, self._uploads, stored, with_code=with_code)
        if self._message.attachments:
            await self._set(stored=self._uploads.stored)
        return new

    async def _open_conversation(self, place: Place, memory: Memory) -> None:
        """What we have of the conversation so far goes there with the message."""
        self._opened = await self._server.api.create_conversation()
        await self._set(conversation=self._opened, notice=self._notice)
        place.enter(self._opened, Memory(entries=memory.entries))

    async def _set(self, **known: Any) -> None:
        """Keep what is known or about to happen now."""
        self._mark = replace(self._mark, **known)
        await self._thread.checkpoint(self._mark.encoded())

    async def submit(self, outputs: Sequence[ToolOutput]) -> Batches:
        """As in `UpstreamTurn`."""
        if self._place is None or self._record is None:
            raise AssertionError("outputs come after the calls they answer")
        self._record.outputs(outputs)
        async with aclosing(self._respond(self._place, self._record)) as batches:
            async for batch in batches:
                yield batch

    async def _respond(self, place: Place, record: TurnRecord) -> Batches:
        """Make responses until one of them ends with something that is not ours to answer."""
        for _ in range(_MOST_ASKED):
            async with aclosing(self._one_response(place, record)) as batches:
                async for batch in batches:
                    yield batch
            approvals = self._follower.translator.approvals
            if not approvals or self._follower.translator.calls:
                return
        raise ChatError(TOO_MANY_ROUNDS, f"asked for approvals {_MOST_ASKED} times in a row")

    async def _one_response(self, place: Place, record: TurnRecord) -> Batches:
        translator = self._follower.translator
        self._kept = False
        async with aclosing(self._accepted_batches(place, record)) as batches:
            async for batch in batches:
                if translator.ended and not translator.failed and not self._kept:
                    self._kept = True
                    await self._keep(place, record)
                yield batch

    async def _accepted_batches(self, place: Place, record: TurnRecord) -> Batches:
        """The batches of a response that the back end took, if need be after remedies, or once more where it was lost
        with its connection.
        """
        made = await self._made_before(place, record)
        tries = _MOST_TRIES
        while True:
            background = not self._server.options.stream and self._server.abilities.background
            taken = False
            try:
                stream = await self._stream(made, place, record, background=background)
                async with aclosing(stream) as batches:
                    async for batch in batches:
                        taken = True
                        await self._name_response(place)
                        if not self._accepted:
                            yield await self._accept()
                        yield await self._made.fetched(batch)
            except ChatError as fault:
                tries -= 1
                self._failed = True
                self._mark = replace(self._mark, sending=not surely_not_taken(fault))
                if tries and cut(fault) and not self._follower.translator.acted:
                    logger.info("turn %s: a response was lost: %s", current_turn.get(), fault.cause)
                    self._follower.translator.lose()
                elif taken or not await self._remedied(fault, place, background=background):
                    raise
            else:
                return
            made = await self._arrived(place, record)
            self._failed = False

    async def _stream(
        self, made: Response | None, place: Place, record: TurnRecord, *, background: bool
    ) -> AsyncGenerator[Sequence[Told]]:
        """A response that is there, or else one that is asked for now."""
        if made is not None:
            return self._follower.go_on_with(made)
        call = await self._call(place, record, background=background)
        if self._is_marked(place):
            await self._set(sending=True, entries=len(record.entries), response_id=None)
        return self._follower.follow(call, background=background)

    def _is_marked(self, place: Place) -> bool:
        """Whether it matters that a response has been asked for: it does not where it leaves nothing anywhere."""
        return place.way is not Way.HISTORY or self._server.options.acts

    async def _name_response(self, place: Place) -> None:
        response_id = self._follower.translator.response_id
        if response_id is not None and response_id != self._mark.response_id and self._is_marked(place):
            await self._set(response_id=response_id)

    async def _made_before(self, place: Place, record: TurnRecord) -> Response | None:
        """The response that another process has asked for. Raises ChatError where it is not there, and must not be made
        twice.
        """
        mark = self._mark
        if self._looked or not mark.sending or mark.entries != len(record.entries):
            return None
        self._looked = True
        made = None
        if mark.response_id is not None:
            made = await made_response(self._server.api, mark.response_id)
        made = made or await self._arrived(place, record)
        if made is None and self._server.options.acts:
            raise ChatError(CUT_OFF, "a response was lost with its process, and it may have used a tool")
        return made

    async def _arrived(self, place: Place, record: TurnRecord) -> Response | None:
        """What a conversation holds of a response whose answer was lost."""
        if place.conversation is None or not self._mark.sending:
            return None
        items = await new_items(self._server.api, place.conversation, place.newest)
        answer = answer_to(record.entries[-1], items)
        if answer is None:
            return None
        return Response(self._mark.response_id or "", "completed", answer)

    async def _accept(self) -> Sequence[UpstreamEvent]:
        """Not before this does the thread change: one whose message was refused is still what it was."""
        self._accepted = True
        if self._notice:
            await self._thread.restart()
        if self._opened is not None:
            await self._thread.record(anchor=Anchor(AnchorKind.CONVERSATION, self._opened))
        notice = self._follower.translator.said.notice(self._notice) if self._notice else []
        return [Accepted(), *notice]

    async def _call(self, place: Place, record: TurnRecord, *, background: bool) -> Call:
        server = self._server
        body = server.body(self._code_files)
        body |= place.body
        said = await items(place.entries(record.entries), self._attached)
        declines = declined(self._to_decline, with_requests=not place.anchored)
        # Where the back end keeps what it asked, the answer comes first; else it comes behind what it was asked of.
        answered = [*declines, *said] if place.anchored else [*said, *declines]
        body["input"] = [*self._open_outputs, *answered]
        if background:
            # What is kept nowhere cannot be asked for.
            body |= {"background": True, "store": True}
        return server.api.create(body, stream=server.options.stream)

    async def _keep(self, place: Place, record: TurnRecord) -> None:
        """Remember what a response has said, and where the next one belongs."""
        translator = self._follower.translator
        response_id = translator.response_id or ""
        self._server.abilities.made(response_id)
        self._open_outputs, self._to_decline = [], translator.approvals
        if translator.calls:
            record.calls(translator.text, translator.calls)
        else:
            record.answer(translator.text, over=not translator.approvals)
        anchor = place.advance(response_id, record.entries, translator.newest)
        if translator.calls or not translator.approvals:
            # Calls are written before they are run: a conversation waits for their outputs, whatever happens.
            forget = place.way is Way.CONVERSATION and not translator.calls
            await record.save(anchor=anchor, covered=anchor is not None, forget=forget)

    async def _remedied(self, fault: ChatError, place: Place, *, background: bool) -> bool:
        """Whether the request may succeed now."""
        if not isinstance(fault, UpstreamError):
            return False
        if background and fault.status == 400 and "background" in fault.message.lower():
            self._server.abilities.refused_background()
            return True
        remedy = remedy_for(fault, place)
        # Less can be sent again and again, until nothing is left that could be left out.
        if remedy is None or (remedy in self._tried and remedy not in {Remedy.SHORTEN, Remedy.WAIT}):
            return False
        self._tried.add(remedy)
        logger.info("turn %s: %s: %s", current_turn.get(), remedy.value, fault.cause)
        match remedy:
            case Remedy.NEW_CONVERSATION:
                self._notice = THREAD_LOST
                await self._open_conversation(place, Memory())
            case Remedy.SEND_HISTORY:
                place.detach(self._server.abilities.forgot(place.previous or ""))
            case Remedy.ANSWER_CALLS:
                self._open_outputs = await open_outputs(self._server.api, place)
                return bool(self._open_outputs)
            case Remedy.SHORTEN:
                return place.halve()
            case Remedy.WAIT:
                return await self._waited()
            case Remedy.NAME_FILES:
                place.name_files()
        return True

    async def _waited(self) -> bool:
        """Wait a little for the response that holds the conversation; False where that has been long enough."""
        now = asyncio.get_running_loop().time()
        if self._wait_until is None:
            self._wait_until = now + self._server.options.close_within
        # It may be the one that was lost, which is then found in the conversation.
        self._mark = replace(self._mark, sending=True)
        await self._pauses.wait(None)
        return now < self._wait_until

    async def leave(self) -> None:
        """As in `UpstreamTurn`."""
        await self._uploads.leave()
        await self._follower.leave()
        await self._made.discard()

    async def close(self) -> None:
        """As in `UpstreamTurn`."""
        try:
            await in_time(
                self._follower.end(), self._server.options.close_within, "the response could not be ended"
            )
            if not self._accepted and not self._mark.sending:
                await in_time(
                    self._take_back(),
                    self._server.options.close_within,
                    "what was not used stays at the back end",
                )
            elif self._record is not None and self._accepted:
                translator = self._follower.translator
                text = "" if translator.ended and not translator.failed else translator.text
                await self._record.break_off(text, failed=self._failed or translator.failed)
        finally:
            await self._made.discard()
            await discard(self._message.attachments)

    async def _take_back(self) -> None:
        """Nothing stays of a message that was not taken."""
        try:
            if self._opened is not None:
                await self._server.api.delete_conversation(self._opened)
        finally:
            await self._uploads.take_back()
