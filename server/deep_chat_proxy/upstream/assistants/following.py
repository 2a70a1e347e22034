"""Following a run by its streams; where a stream is lost the run is asked for instead, so no answer is.

A call that makes or continues a run is sent in a task of its own: a turn that is stopped while such a call
is on its way must learn which run it made, or the run would go on with nobody to end it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

import aiohttp

from deep_chat_proxy.errors import CUT_OFF, ChatError
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.context import current_turn
from deep_chat_proxy.turn.events import ToolCall, UpstreamEvent
from deep_chat_proxy.turn.ports import Listener
from deep_chat_proxy.upstream.assistants.api import AssistantsApi
from deep_chat_proxy.upstream.assistants.mending import cancel_and_wait, end_active_run, find_run
from deep_chat_proxy.upstream.assistants.polling import poll
from deep_chat_proxy.upstream.assistants.translate import Translator, calls_of
from deep_chat_proxy.upstream.assistants.wire import Run
from deep_chat_proxy.upstream.client import Call, drained, surely_not_taken
from deep_chat_proxy.upstream.failures import UpstreamError
from deep_chat_proxy.upstream.pauses import PollPace

logger = logging.getLogger("deep_chat_proxy.upstream")


class RunFollower:
    """Follows the one run of a turn over all its streams and polls, and ends it where it goes on."""

    def __init__(self, api: AssistantsApi, pace: PollPace, turn_id: str, *, within: float) -> None:
        """`within`: how many seconds a run has to end that keeps the thread from having one of ours."""
        self._api = api
        self._pace = pace
        self._turn_id = turn_id
        self._within = within
        self._translator = Translator()
        self.listener: Listener = lambda _: False
        self.watched: Callable[[], bool] = lambda: True
        self._tasks = Tasks()
        self._opening: asyncio.Task[aiohttp.ClientResponse] | None = None
        self._asked: frozenset[ToolCall] = frozenset()
        """The calls whose outputs are on their way."""
        self._seen: Run | None = None
        """The run, as the back end has just shown it."""

    @property
    def thread_id(self) -> str | None:
        """The back end's thread, once it said so."""
        return self._translator.thread_id

    @property
    def run_id(self) -> str | None:
        """The run, once the back end named it."""
        return self._translator.run_id

    def go_on(self, thread_id: str) -> None:
        """The run will be one of the thread `thread_id`."""
        self._translator.thread_id = thread_id

    async def go_on_with(self, run: Run) -> AsyncGenerator[Sequence[UpstreamEvent]]:
        """Follow a run that was made before; the batches are those of `follow`."""
        self._note(run)
        yield []
        async with aclosing(self._poll()) as batches:
            async for batch in batches:
                yield batch

    def notice(self, text: str) -> Sequence[UpstreamEvent]:
        """Words of our own before the answer."""
        return self._translator.notice(text)

    async def follow(self, call: Call) -> AsyncGenerator[Sequence[UpstreamEvent]]:
        """Send a call that makes or continues the run and follow it to its end, or until it asks for outputs.

        The first batch is empty and comes when the back end has taken the call.
        """
        self._translator.paused = False
        self._seen = None
        self._asked = frozenset(self._translator.calls)
        response = await self._open(call)
        yield []
        if response is not None:
            try:
                if response.content_type == "text/event-stream":
                    async with aclosing(self._read_stream(response)) as batches:
                        async for batch in batches:
                            yield batch
                else:
                    # What was asked for, or a server that knows no streams.
                    self._note((await self._api.client.read(response)).into(Run))
            except ChatError as fault:
                # One that breaks off ends quietly, the run is asked for then.
                cause = fault.cause
                logger.info("turn %s: the stream was lost, asking for the run: %s", current_turn.get(), cause)
            finally:
                # One that was opened stays known until the run is: see `end`.
                response.close()
                if self.run_id is not None:
                    self._let_go()
        if not self._translator.paused:
            async with aclosing(self._poll()) as batches:
                async for batch in batches:
                    yield batch

    async def _open(self, call: Call) -> aiohttp.ClientResponse | None:
        """The answer to a call; None where it was lost, but the run has gone on."""
        try:
            return await self._begin(call)
        except ChatError as fault:
            thread_id = self.thread_id
            if thread_id is None or not self._may_have_gone_on(fault):
                raise
            logger.info("turn %s: looking for the run: %s", current_turn.get(), fault.cause)
        run = await self._find(thread_id)
        if run is not None and not self._still_asks(run):
            self._note(run)
            return None
        if run is None:
            await end_active_run(self._api, thread_id, self._pace, within=self._within)
        return await self._begin(call)

    def _note(self, run: Run) -> None:
        self._translator.note(run)
        # Some servers answer outputs with the run as it was before.
        self._seen = None if self._still_asks(run) else run

    def _still_asks(self, run: Run) -> bool:
        """Whether a run waits for the outputs that are on their way: it may have come to other calls since, and some
        servers give those of each round the same ids.
        """
        return run.status == "requires_action" and frozenset(calls_of(run)) <= self._asked

    async def _find(self, thread_id: str) -> Run | None:
        if self.run_id is None:
            return await find_run(self._api, thread_id, self._turn_id)
        return (await self._api.get_run(thread_id, self.run_id))[0]

    def _may_have_gone_on(self, fault: ChatError) -> bool:
        """Whether there may be a run all the same: nobody knows, or another one keeps ours from being made."""
        blocked = isinstance(fault, UpstreamError) and fault.status == 400 and "active" in fault.message
        return not surely_not_taken(fault) or (blocked and self.run_id is None)

    async def _begin(self, call: Call) -> aiohttp.ClientResponse:
        self._opening = self._tasks.start(self._api.client.begin(call), name="open a run")
        return await asyncio.shield(self._opening)

    async def _read_stream(self, response: aiohttp.ClientResponse) -> AsyncGenerator[Sequence[UpstreamEvent]]:
        with self._api.client.events(response, self.listener, self.watched) as stream:
            while events := await stream.next():
                batch: list[UpstreamEvent] = []
                try:
                    self._translator.take(events, batch)
                except ChatError:
                    yield batch
                    raise
                if self._translator.paused:
                    yield batch[:-1]
                    await drained(response)
                    yield batch[-1:]
                    return
                if not stream.told(batch):
                    yield batch

    async def _poll(self) -> AsyncGenerator[Sequence[UpstreamEvent]]:
        if self.run_id is None and self.thread_id is not None:
            # The stream was lost before it named the run.
            made = await self._find(self.thread_id)
            if made is not None:
                self._note(made)
        if self.run_id is None or self.thread_id is None:
            raise ChatError(CUT_OFF, "the stream ended before it named its run")
        seen, self._seen = self._seen, None
        async with aclosing(
            poll(self._api, self._translator, self.thread_id, self.run_id, self._pace, seen=seen)
        ) as batches:
            async for batch in batches:
                yield batch

    async def leave(self) -> None:
        """Let go of the connection; the run goes on."""
        await self._tasks.close()
        self._let_go()

    async def end(self) -> None:
        """Cancel the run if one goes on, and wait until it has ended. Raises ChatError."""
        try:
            if self._opening is not None and self.run_id is None:
                await self._learn_run(self._opening)
            if self.run_id is not None and self.thread_id is not None and not self._translator.ended:
                await cancel_and_wait(self._api, self.thread_id, self.run_id, self._pace)
        finally:
            await self._tasks.close()
            self._let_go()

    async def _learn_run(self, opening: asyncio.Task[aiohttp.ClientResponse]) -> None:
        """Find out which run a call made whose answer was left before it named one, or never came."""
        try:
            await opening
        except ChatError as fault:
            if surely_not_taken(fault):
                return
        if self.run_id is None and self.thread_id is not None:
            run = await find_run(self._api, self.thread_id, self._turn_id)
            if run is not None:
                self._translator.note(run)

    def _let_go(self) -> None:
        """Close the answer that was opened last; one that was read to its end keeps its connection."""
        opening, self._opening = self._opening, None
        if opening is not None and opening.done() and not opening.cancelled() and opening.exception() is None:
            opening.result().close()
