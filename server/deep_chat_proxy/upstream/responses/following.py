"""Following the responses of a turn, by stream or by asking; where a stream is lost, the response is asked for.

A response in the foreground lives on its connection, and closing that ends it. One in the background goes on by
itself: a turn that is stopped while such a call is on its way must learn which response it made, to cancel it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

import aiohttp

from deep_chat_proxy.errors import CUT_OFF, ChatError
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.context import current_turn
from deep_chat_proxy.turn.events import Status
from deep_chat_proxy.turn.ports import Listener
from deep_chat_proxy.upstream.client import Call, drained
from deep_chat_proxy.upstream.failures import UpstreamError
from deep_chat_proxy.upstream.opening import on_its_way, presumed_taken
from deep_chat_proxy.upstream.pauses import PollPace
from deep_chat_proxy.upstream.responses.api import ResponsesApi
from deep_chat_proxy.upstream.responses.translate import Told, Translator
from deep_chat_proxy.upstream.responses.wire import ENDED, Response

logger = logging.getLogger("deep_chat_proxy.upstream")

_STATUS = {"queued": "Waiting for the assistant…", "in_progress": "Thinking…"}


class ResponseFollower:
    """Follows the responses of a turn, one after the other, and ends the one that goes on."""

    def __init__(self, api: ResponsesApi, pace: PollPace) -> None:
        self.translator = Translator()
        self.listener: Listener = lambda _: False
        self.watched: Callable[[], bool] = lambda: True
        self._api = api
        self._pace = pace
        self._tasks = Tasks()
        self._creating: asyncio.Task[Response] | None = None
        self._lost: ChatError | None = None
        self._seen: Response | None = None
        """The response that goes on, as the back end has just shown it."""

    async def follow(self, call: Call, *, background: bool) -> AsyncGenerator[Sequence[Told]]:
        """Send a call that makes a response and follow that to its end.

        The first batch is empty and comes when the back end has taken the call.
        """
        self.translator.begin()
        self._creating = self._lost = self._seen = None
        async with aclosing(
            self._in_background(call) if background else self._in_foreground(call)
        ) as batches:
            async for batch in batches:
                yield batch
        if not self.translator.ended:
            async with aclosing(self._poll()) as batches:
                async for batch in batches:
                    yield batch

    async def go_on_with(self, made: Response) -> AsyncGenerator[Sequence[Told]]:
        """Follow a response that was made before; the batches are those of `follow`."""
        self.translator.begin()
        self._creating = self._tasks.start(_known(made), name="a response")
        self._lost = self._seen = None
        yield []
        yield self._take(made)
        if not self.translator.ended:
            async with aclosing(self._poll()) as batches:
                async for batch in batches:
                    yield batch

    async def _in_background(self, call: Call) -> AsyncGenerator[Sequence[Told]]:
        self._creating = self._tasks.start(self._create(call), name="create a response")
        made = await asyncio.shield(self._creating)
        yield []
        yield self._take(made)

    async def _create(self, call: Call) -> Response:
        response = (await self._api.client.ask(call)).into(Response)
        self.translator.note(response)
        return response

    async def _in_foreground(self, call: Call) -> AsyncGenerator[Sequence[Told]]:
        async with on_its_way(self._api.client.begin(call)) as opening:
            if not call.stream and await presumed_taken(opening):
                yield []
            response = await opening
            yield []
            async with aclosing(self._read(response)) as batches:
                async for batch in batches:
                    yield batch

    async def _read(self, response: aiohttp.ClientResponse) -> AsyncGenerator[Sequence[Told]]:
        """What one answer says; one that breaks off ends quietly, the response is asked for then."""
        try:
            if response.content_type == "text/event-stream":
                async with aclosing(self._read_stream(response)) as batches:
                    async for batch in batches:
                        yield batch
                return
            made = (await self._api.client.read(response)).into(Response)
            yield self._take(made)
        except ChatError as fault:
            if self.translator.response_id is None:
                raise
            self._lost = fault
            logger.info("turn %s: an answer was lost, asking for it: %s", current_turn.get(), fault.cause)

    async def _read_stream(self, response: aiohttp.ClientResponse) -> AsyncGenerator[Sequence[Told]]:
        with self._api.client.events(response, self.listener, self.watched) as stream:
            while events := await stream.next():
                batch: list[Told] = []
                try:
                    self.translator.take(events, batch)
                except ChatError:
                    yield batch
                    raise
                if self.translator.ended:
                    # What was said need not wait for the end of the connection.
                    yield batch[:-1]
                    await drained(response)
                    yield batch[-1:]
                    return
                if not stream.told(batch):
                    yield batch

    def _take(self, response: Response) -> list[Told]:
        out: list[Told] = []
        if response.status in ENDED:
            self.translator.take_response(response, out, whole=True)
        else:
            self.translator.note(response)
            self._seen = response
        return out

    async def _poll(self) -> AsyncGenerator[Sequence[Told]]:
        """Ask for a response until it has ended; what of it was not told yet comes whole."""
        response_id = self.translator.response_id
        if response_id is None:
            raise ChatError(CUT_OFF, "the stream ended before it named its response")
        pauses = self._pace.pauses()
        status: str | None = None
        hint: float | None = None
        while True:
            if (seen := self._seen) is not None:
                response, self._seen = seen, None
            else:
                response, hint = await self._look(response_id)
            if self._creating is None and response.status == "cancelled":
                raise ChatError(CUT_OFF, "the response was cancelled with its stream")
            if response.status in ENDED:
                yield self._take(response)
                return
            if response.status != status:
                status = response.status
                if label := _STATUS.get(status or ""):
                    yield [Status(label)]
            yield []
            await pauses.wait(hint)

    async def _look(self, response_id: str) -> tuple[Response, float | None]:
        try:
            return await self._api.get(response_id)
        except UpstreamError as fault:
            if self._creating is not None:
                raise
            # Most servers keep no response whose connection was lost.
            lost = CUT_OFF if self._lost is None else self._lost.problem
            raise ChatError(lost, f"the stream was lost, and its response too: {fault.cause}") from fault

    async def leave(self) -> None:
        """Let go of what is under way."""
        await self._tasks.close()

    async def end(self) -> None:
        """Cancel what goes on. Raises ChatError."""
        try:
            if self._creating is not None and not self.translator.ended:
                await self._cancel(self._creating)
        finally:
            await self._tasks.close()

    async def _cancel(self, creating: asyncio.Task[Response]) -> None:
        try:
            await creating
        except ChatError:
            # It was refused, or nobody can tell which response it made.
            return
        if self.translator.response_id is not None:
            await self._api.cancel(self.translator.response_id)


async def _known(made: Response) -> Response:
    return made
