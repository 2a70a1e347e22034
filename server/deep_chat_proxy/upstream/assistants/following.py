"""Following a run by its streams; where a stream is lost the run is asked for instead, so no answer is.

A call that makes or continues a run is sent in a task of its own: a turn that is stopped while such a call
is on its way must learn which run it made, or the run would go on with nobody to end it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import aiohttp

from deep_chat_proxy.errors import CUT_OFF, TIMED_OUT, ChatError
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.context import current_turn
from deep_chat_proxy.turn.events import UpstreamEvent
from deep_chat_proxy.upstream.assistants.api import AssistantsApi
from deep_chat_proxy.upstream.assistants.mending import cancel_and_wait
from deep_chat_proxy.upstream.assistants.polling import PollPace, poll
from deep_chat_proxy.upstream.assistants.translate import Translator
from deep_chat_proxy.upstream.assistants.wire import Run
from deep_chat_proxy.upstream.client import Call

logger = logging.getLogger("deep_chat_proxy.upstream")

# How long the last bytes of a stream are waited for after its last event, so that its connection can serve
# the next call; in seconds.
_LINGER = 0.2


class RunFollower:
    """Follows the one run of a turn over all its streams and polls, and ends it where it goes on."""

    def __init__(self, api: AssistantsApi, pace: PollPace) -> None:
        self._api = api
        self._pace = pace
        self._translator = Translator()
        self._tasks = Tasks()
        self._opening: asyncio.Task[aiohttp.ClientResponse] | None = None

    @property
    def thread_id(self) -> str | None:
        """The back end's thread, once it said so."""
        return self._translator.thread_id

    @property
    def run_id(self) -> str | None:
        """The run, once the back end named it."""
        return self._translator.run_id

    async def follow(self, call: Call) -> AsyncGenerator[Sequence[UpstreamEvent]]:
        """Send a call that makes or continues the run and follow it to its end, or until it asks for outputs.

        The first batch is empty and comes when the back end has taken the call.
        """
        self._translator.paused = False
        self._opening = self._tasks.start(self._api.client.begin(call), name="open a run")
        response = await asyncio.shield(self._opening)
        try:
            yield []
            if response.content_type == "text/event-stream":
                async with aclosing(self._read(response)) as batches:
                    async for batch in batches:
                        yield batch
            else:
                # What was asked for, or a server that knows no streams.
                self._translator.note((await self._api.client.read(response)).into(Run))
        finally:
            if self.run_id is not None:
                self._opening = None
                response.close()
        if not self._translator.paused:
            async with aclosing(self._poll()) as batches:
                async for batch in batches:
                    yield batch

    async def _read(self, response: aiohttp.ClientResponse) -> AsyncGenerator[Sequence[UpstreamEvent]]:
        """The events of one stream; a stream that breaks off ends quietly, the run is asked for then."""
        try:
            async with aclosing(self._api.client.events(response)) as frames:
                async for events in frames:
                    batch = self._translator.take(events)
                    if self._translator.paused:
                        yield batch[:-1]
                        await _drain(response)
                        yield batch[-1:]
                        return
                    if batch or self.run_id is not None:
                        yield batch
        except ChatError as fault:
            if fault.problem not in {CUT_OFF, TIMED_OUT} or self.run_id is None:
                raise
            logger.info(
                "turn %s: the stream was lost, asking for the run: %s", current_turn.get(), fault.cause
            )

    async def _poll(self) -> AsyncGenerator[Sequence[UpstreamEvent]]:
        if self.run_id is None or self.thread_id is None:
            raise ChatError(CUT_OFF, "the stream ended before it named its run")
        async with aclosing(
            poll(self._api, self._translator, self.thread_id, self.run_id, self._pace)
        ) as batches:
            async for batch in batches:
                yield batch

    async def end(self) -> None:
        """Cancel the run if one goes on, and wait until it has ended. Raises ChatError."""
        try:
            if self._opening is not None and self.run_id is None:
                await self._learn_run(self._opening)
            if self.run_id is not None and self.thread_id is not None and not self._translator.ended:
                await cancel_and_wait(self._api, self.thread_id, self.run_id, self._pace)
        finally:
            await self._tasks.close()

    async def _learn_run(self, opening: asyncio.Task[aiohttp.ClientResponse]) -> None:
        """Read a stream that was left early until it has named its run."""
        response = await opening
        try:
            if response.content_type != "text/event-stream":
                self._translator.note((await self._api.client.read(response)).into(Run))
                return
            async with aclosing(self._api.client.events(response)) as frames:
                async for events in frames:
                    self._translator.take(events)
                    if self.run_id is not None:
                        return
        finally:
            response.close()


async def _drain(response: aiohttp.ClientResponse) -> None:
    try:
        async with asyncio.timeout(_LINGER):
            while await response.content.readany():
                pass
    except (TimeoutError, aiohttp.ClientError):
        # The answer is whole already; only the connection is lost.
        return
