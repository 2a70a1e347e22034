"""An answer as server-sent events: a turn's log, followed to its end."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.web import BaseRequest
from aiohttp_sse import EventSourceResponse

from deep_chat_proxy.browser.frames import FrameWriter
from deep_chat_proxy.browser.pace import STEP, in_steps
from deep_chat_proxy.turn.log import Batch, TurnLog

logger = logging.getLogger("deep_chat_proxy.browser")

# One newline: Deep Chat calls a page's interceptor for every event, and a blank line would make this one.
_HEARTBEAT = b": ping\n"
# Deep Chat shows an error instead of the text where an asynchronous interceptor of the page gets the last
# event together with the end of the stream.
_LINGER = 0.08


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

    async def send_frames(self, frames: bytes) -> None:
        """Write whole frames, all in one; b"" writes nothing."""
        if not frames:
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
            async with stream, aclosing(log.follow(after)) as batches:
                async for batch in batches:
                    await self._write(stream, writer, batch)
            await asyncio.sleep(_LINGER)
        except (ConnectionResetError, TimeoutError):
            logger.info("%s: the browser has gone", request.path)
        return stream

    async def _write(self, stream: ChatStream, writer: FrameWriter, batch: Batch) -> None:
        last_id, events = batch
        *steps, last = in_steps(events, self._pace) if events else [[]]
        for step in steps:
            await stream.send_frames(writer.frames(step, None))
            await asyncio.sleep(STEP)
        await stream.send_frames(writer.frames(last, last_id))
