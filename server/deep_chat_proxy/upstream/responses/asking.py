"""One response of a turn, asked for until it is there: after remedies where the back end refuses, and once more where it
was lost with its connection and is nowhere to be found.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from deep_chat_proxy.errors import CUT_OFF, ChatError
from deep_chat_proxy.turn.context import current_turn
from deep_chat_proxy.turn.held import Held, HeldKind
from deep_chat_proxy.turn.transcript import Entry
from deep_chat_proxy.upstream.attachments import MessageFiles
from deep_chat_proxy.upstream.client import Call, cut, surely_not_taken
from deep_chat_proxy.upstream.failures import UpstreamError
from deep_chat_proxy.upstream.responses.arrived import answer_to, made_response, new_items
from deep_chat_proxy.upstream.responses.checkpoint import Marks
from deep_chat_proxy.upstream.responses.following import ResponseFollower
from deep_chat_proxy.upstream.responses.footing import Footing
from deep_chat_proxy.upstream.responses.items import Item, declined, items
from deep_chat_proxy.upstream.responses.options import Way
from deep_chat_proxy.upstream.responses.remedies import AGAIN_AND_AGAIN, Remedy, open_outputs, remedy_for
from deep_chat_proxy.upstream.responses.server import ResponsesServer
from deep_chat_proxy.upstream.responses.translate import Told
from deep_chat_proxy.upstream.responses.wire import Item as KeptItem
from deep_chat_proxy.upstream.responses.wire import Response

logger = logging.getLogger("deep_chat_proxy.upstream")

# How often a response is asked for that is lost with its connection.
_MOST_TRIES = 3
# What a response that has just ended has to be in its conversation; seconds.
_SETTLING = 0.2

Batches = AsyncGenerator[Sequence[Told]]


class Asking:
    """Asks for the responses of one turn, one after the other. `code_files` are for the code interpreter; `to_decline`
    are requests for an approval that the next response is to have answered.
    """

    def __init__(
        self, server: ResponsesServer, footing: Footing, marks: Marks, follower: ResponseFollower
    ) -> None:
        self._server = server
        self._footing = footing
        self._place = footing.place
        self._marks = marks
        self._follower = follower
        self.code_files: tuple[str, ...] = ()
        self.to_decline: Sequence[KeptItem] = ()
        self._open_outputs: list[Item] = []
        self._tried: set[Remedy] = set()
        self._tries = _MOST_TRIES
        self._pauses = server.options.pace.pauses()
        self._wait_until: float | None = None
        # Once: what comes later was asked for by this process.
        self._looked = False

    async def ask(self, own: Sequence[Entry], files: MessageFiles) -> Batches:
        """The batches of a response to the turn's entries so far; the first one is empty and comes when the back end has
        taken the request. Raises ChatError where it does not, or the answer breaks off.
        """
        made = await self._made_before(own)
        self._tries = _MOST_TRIES
        while True:
            taken = False
            try:
                async with aclosing(await self._stream(made, own, files)) as batches:
                    async for batch in batches:
                        taken = True
                        await self._name_response()
                        yield batch
            except ChatError as fault:
                if not await self._goes_on(fault, taken=taken):
                    raise
                made = await self._arrived(own)
                if made is None and self._acted(fault):
                    raise
            else:
                self._open_outputs = []
                return

    async def _goes_on(self, fault: ChatError, *, taken: bool) -> bool:
        """Whether to ask once more."""
        self._marks.note(sending=not surely_not_taken(fault))
        if not cut(fault):
            return not taken and await self._remedied(fault)
        logger.info("turn %s: a response was lost: %s", current_turn.get(), fault.cause)
        self._tries -= 1
        if self._tries > 0:
            self._follower.translator.lose()
            if self._place.conversation is not None and self._marks.now.sending:
                # One that comes to its end between a look for it and the next request would be made twice.
                await asyncio.sleep(_SETTLING)
        return self._tries > 0

    def _acted(self, fault: ChatError) -> bool:
        """Whether a response that is nowhere to be found may have done something elsewhere, so that another one must not
        be made in its place.
        """
        return self._server.options.acts and not surely_not_taken(fault)

    async def _stream(self, made: Response | None, own: Sequence[Entry], files: MessageFiles) -> Batches:
        """A response that is there, or else one that is asked for now."""
        if made is not None:
            return self._follower.go_on_with(made)
        background = self._background
        call = await self._call(own, files, background=background)
        if self._matters:
            await self._marks.keep(sending=True, entries=len(own), response_id=None)
        return self._follower.follow(call, background=background)

    async def _call(self, own: Sequence[Entry], files: MessageFiles, *, background: bool) -> Call:
        server, place = self._server, self._place
        body = server.body(self.code_files)
        body |= place.body
        said = await items(place.entries(own), files)
        declines = declined(self.to_decline, with_requests=not place.anchored)
        # Where the back end keeps what it asked, the answer comes first; else it comes behind what it was asked of.
        answered = [*declines, *said] if place.anchored else [*said, *declines]
        body["input"] = [*self._open_outputs, *answered]
        if background:
            # What is kept nowhere cannot be asked for.
            body |= {"background": True, "store": True}
        return server.api.create(body, stream=server.options.stream)

    @property
    def _background(self) -> bool:
        return not self._server.options.stream and self._server.abilities.background

    @property
    def _matters(self) -> bool:
        """Whether a response that was asked for may leave something anywhere."""
        return self._place.way is not Way.HISTORY or self._server.options.acts

    @property
    def is_named(self) -> bool:
        """Whether it is kept which response goes on, where that matters."""
        return not self._matters or self._follower.translator.response_id == self._marks.now.response_id

    async def _name_response(self) -> None:
        response_id = self._follower.translator.response_id
        if response_id is not None and not self.is_named:
            await self._marks.keep(Held(HeldKind.RESPONSE, response_id), response_id=response_id)

    async def _made_before(self, own: Sequence[Entry]) -> Response | None:
        """The response that another process has asked for. Raises ChatError where it is not there, and must not be made
        twice.
        """
        mark, looked = self._marks.now, self._looked
        self._looked = True
        if looked or not mark.sending or mark.entries != len(own):
            return None
        made = None
        if mark.response_id is not None:
            made = await made_response(self._server.api, mark.response_id)
        made = made or await self._arrived(own)
        if made is None and self._server.options.acts:
            raise ChatError(CUT_OFF, "a response was lost with its process, and it may have used a tool")
        return made

    async def _arrived(self, own: Sequence[Entry]) -> Response | None:
        """What a conversation holds of a response whose answer was lost."""
        conversation = self._place.conversation
        if conversation is None or not self._marks.now.sending:
            return None
        items_there = await new_items(self._server.api, conversation, self._place.newest)
        answer = None if items_there is None else answer_to(own[-1], items_there)
        if answer is None:
            return None
        return Response(self._marks.now.response_id or "", "completed", answer)

    async def _remedied(self, fault: ChatError) -> bool:
        """Whether the request may succeed now."""
        if not isinstance(fault, UpstreamError):
            return False
        if self._background and fault.status == 400 and "background" in fault.message.lower():
            self._server.abilities.refused_background()
            return True
        remedy = remedy_for(fault, self._place)
        if remedy is None or (remedy in self._tried and remedy not in AGAIN_AND_AGAIN):
            return False
        self._tried.add(remedy)
        logger.info("turn %s: %s: %s", current_turn.get(), remedy.value, fault.cause)
        return await self._helps(remedy)

    async def _helps(self, remedy: Remedy) -> bool:
        place = self._place
        match remedy:
            case Remedy.NEW_CONVERSATION:
                await self._footing.open_another()
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
        self._marks.note(sending=True)
        await self._pauses.wait(None)
        return now < self._wait_until
