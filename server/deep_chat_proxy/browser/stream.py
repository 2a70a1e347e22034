"""An answer as server-sent events: a turn's log, followed to its end."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.web import BaseRequest
from aiohttp_sse import EventSourceResponse

from deep_chat_proxy.browser.frames import FrameWriter
from deep_chat_proxy.browser.pace import STEP, in_steps
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.events import SourcesListed, TextDelta, TextReplaced, TurnEvent
from deep_chat_proxy.turn.log import TurnLog

logger = logging.getLogger("deep_chat_proxy.browser")

# One newline: Deep Chat calls a page's interceptor for every event, and a blank line would make this one.
_HEARTBEAT = b": ping\n"
# Deep Chat shows an error instead of the text where an asynchronous interceptor of the page gets the last
# event together with the end of the stream.
_LINGER = 0.08
# Bytes that surely fit into what aiohttp lets wait before a write does.
_SMALL = 32 * 1024
# Characters that surely are no more bytes than that, whatever they are.
_MOST_NOW = 4 * 1024


class ChatStream(EventSourceResponse):
    """aiohttp-sse's response, writing frames that are made already and heartbeats that Deep Chat does not see.

    Writing to a browser that has gone, or that reads nothing for `send_timeout` seconds, raises
    ConnectionResetError or TimeoutError.
    """

    def __init__(self, *, heartbeat: float, send_timeout: float, alive: Callable[[], bool]) -> None:
        """`alive` says, before each heartbeat, whether there is to be one."""
        super().__init__(allow_all_methods=True, ping_interval=heartbeat, send_timeout=send_timeout)
        self._alive = alive

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        """Send the headers. Raises ConnectionResetError where the browser has gone."""
        if not self.prepared and request.transport is None:
            raise ConnectionResetError("the browser has gone")
        if request.version < HttpVersion11:
            # Without chunks only the end of the connection can end the answer.
            self.headers["Connection"] = "close"
            self.force_close()
        return await super().prepare(request)

    @property
    def is_free(self) -> bool:
        """Whether the browser has taken all that was written, so that a small write waits for nothing."""
        transport = self._req.transport if self._req is not None else None
        return transport is not None and not transport.get_write_buffer_size()

    def write_now(self, frames: bytes) -> None:
        """Write whole frames, few and while the stream `is_free`; b"" writes nothing. Raises ConnectionResetError."""
        if not frames:
            return
        writing = self.write(frames)
        with suppress(StopIteration):
            # It comes to its end at once. Should it wait for the browser, what it was to write is on its way already.
            writing.send(None)
        writing.close()

    async def send_frames(self, frames: bytes) -> None:
        """Write whole frames, all in one; b"" writes nothing."""
        if not frames:
            return
        if len(frames) <= _SMALL and self.is_free:
            # What waits for nothing needs no timer.
            await self.write(frames)
            return
        try:
            async with asyncio.timeout(self._send_timeout):
                await self.write(frames)
        except TimeoutError:
            # What is buffered would never leave, so only an abort ends the connection.
            self._abort_transport()
            raise

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(self._ping_interval)
            if not self._alive():
                continue
            try:
                await self.send_frames(_HEARTBEAT)
            except (ConnectionResetError, RuntimeError, TimeoutError):
                return


class StreamDelivery:
    """Writes turns to streams. `heartbeat` in seconds, `pace` in characters a second (0: at once);
    `send_timeout` is how many seconds a browser may read nothing, `silence` after how many of the back end's a turn
    has no more heartbeats, so that everyone in between can see that it hangs.
    """

    def __init__(self, *, heartbeat: float, pace: int, silence: float, send_timeout: float = 60.0) -> None:
        self._heartbeat = heartbeat
        self._pace = pace
        self._silence = silence
        self._send_timeout = send_timeout
        self._tasks = Tasks()

    async def deliver(
        self, request: web.Request, log: TurnLog, writer: FrameWriter, *, after: int = 0
    ) -> web.StreamResponse:
        """Answer `request` with what came in `log` after the event `after`, until the turn has ended."""
        stream = ChatStream(
            heartbeat=self._heartbeat,
            send_timeout=self._send_timeout,
            alive=lambda: log.silent_for <= self._silence,
        )
        try:
            await stream.prepare(request)
            async with stream:
                # In a task of its own, which is shallow: all that a request has passed would be passed at each waking.
                follower = _Follower(stream, log, writer, self._pace)
                with log.reading():
                    await self._tasks.start(follower.follow(after), name="write a stream")
            await asyncio.sleep(_LINGER)
        except (ConnectionResetError, TimeoutError):
            logger.info("%s: the browser has gone", request.path)
        return stream


class _Follower:
    """One stream that follows a log: while its browser keeps up, whoever brings events has them written at once."""

    def __init__(self, stream: ChatStream, log: TurnLog, writer: FrameWriter, pace: int) -> None:
        self._stream = stream
        self._log = log
        self._writer = writer
        self._pace = pace
        self._seen = 0

    async def follow(self, after: int) -> None:
        """Write what came after the event `after`, until the turn has ended."""
        self._seen, events = self._log.first(after)
        await self._write(events)
        while self._seen < self._log.last_id or not self._log.state.ended:
            if self._seen == self._log.last_id:
                await self._log.while_taken(self._take)
            self._seen, events = self._log.after(self._seen)
            await self._write(events)

    async def _write(self, events: Sequence[TurnEvent]) -> None:
        if self._is_paced(events):
            # Before they are taken apart: half a link leads nowhere.
            *steps, events = in_steps(self._writer.addressed(events), self._pace)
            for step in steps:
                await self._stream.send_frames(self._writer.frames(step, None))
                await asyncio.sleep(STEP)
        await self._stream.send_frames(self._writer.frames(events, self._seen))

    def _take(self) -> bool:
        """Write what is new; False where that may have to wait for something, or fails."""
        seen, events = self._log.after(self._seen)
        if self._is_paced(events) or _length(events) > _MOST_NOW or not self._stream.is_free:
            return False
        try:
            self._stream.write_now(self._writer.frames(events, seen))
        except ConnectionResetError:
            return False
        self._seen = seen
        return True

    def _is_paced(self, events: Sequence[TurnEvent]) -> bool:
        """Whether the events are to be written with time between them."""
        return self._pace > 0 and any(isinstance(event, TextDelta) and event.whole for event in events)


def _length(events: Sequence[TurnEvent]) -> int:
    """How many characters of texts there are."""
    return sum(
        len(event.text) for event in events if isinstance(event, TextDelta | TextReplaced | SourcesListed)
    )
