"""What the processes do that are looked after: serve, or be the local OpenAI of those that do."""

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web

from deep_chat_proxy.logs import setup_logs
from deep_chat_proxy.serving import app_of, run
from deep_chat_proxy.settings import Settings


def serve_as(number: int, settings: Settings, local_openai: str | None, channel: socket.socket) -> None:
    """Serve as one of several, and say where into `channel`; end when that closes. Raises OSError, ToolError."""
    setup_logs(settings.log_level, f"worker {number}")
    app = app_of(settings, local_openai)
    app.on_startup.append(_end_with(channel))
    run(app, settings, announce=lambda text: channel.sendall(text.encode()), shared=True)


def be_local_openai(settings: Settings, listening: socket.socket, channel: socket.socket) -> None:
    """Be the local OpenAI on the socket `listening`, until `channel` closes."""
    # Imported only where it is used: a server with a real back end has no need of it.
    from deep_chat_proxy.local_openai import create_local_openai  # noqa: PLC0415

    setup_logs(settings.log_level, "local OpenAI")
    app = create_local_openai()
    app.on_startup.append(_end_with(channel))
    web.run_app(
        app, sock=listening, print=None, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
    )


def _end_with(channel: socket.socket) -> Callable[[web.Application], Awaitable[None]]:
    """End as by SIGTERM when nobody holds the other end of a channel any more, whatever its holder died of."""

    async def watch(_: web.Application) -> None:
        loop = asyncio.get_running_loop()

        def end() -> None:
            loop.remove_reader(channel)
            os.kill(os.getpid(), signal.SIGTERM)

        loop.add_reader(channel, end)

    return watch
