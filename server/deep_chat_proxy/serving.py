"""Serving the app as a process: the listening socket, signals, the end."""

import logging
import os
import threading
from collections.abc import Awaitable, Callable

from aiohttp import web

from deep_chat_proxy.app import create_app
from deep_chat_proxy.backend import model_of
from deep_chat_proxy.configuration import variable
from deep_chat_proxy.logs import setup_logs
from deep_chat_proxy.settings import Settings

logger = logging.getLogger("deep_chat_proxy")

# Longer than load balancers keep an idle connection, so that they close it and no request is lost; seconds.
_KEEP_ALIVE = 75.0
# For handlers that are still busy after every stream was told to end, as a part of the time for clearing up.
_BUSY_HANDLERS = 0.4
# For a process that is ended from within to be gone; seconds.
_EXIT = 0.3


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. Raises OSError where the address is taken."""
    setup_logs(settings.log_level)
    app = create_app(settings)
    logger.info("back end: %s", _named(settings))
    if settings.back_end == "local" and (settings.openai_api_key or settings.openai_base_url):
        logger.warning(
            "a key or an address of a back end is set, but DEEP_CHAT_UPSTREAM=local has the local one used"
        )
    for name in settings.unused:
        logger.warning("%s does nothing with this protocol", variable(name))
    app.on_shutdown.insert(0, _end_in_time(settings.shutdown))
    web.run_app(
        app,
        host=settings.host,
        port=settings.port,
        access_log=None,
        # Only so is a browser that leaves noticed at once.
        handler_cancellation=True,
        keepalive_timeout=_KEEP_ALIVE,
        shutdown_timeout=settings.clearing * _BUSY_HANDLERS,
        print=_announce,
    )


def _end_in_time(seconds: float) -> Callable[[web.Application], Awaitable[None]]:
    """Have the process end in time, whatever keeps it: what matters is in the store before it happens."""

    async def end_in_time(_: web.Application) -> None:
        timer = threading.Timer(seconds - _EXIT, _give_up)
        timer.daemon = True
        timer.start()

    return end_in_time


def _give_up() -> None:
    logger.error("the server does not come to its end, so it is ended")
    os._exit(1)


def _named(settings: Settings) -> str:
    """The back end for the log: its protocol, where it is, and what answers there."""
    if settings.back_end == "local":
        return "local"
    answering = settings.assistant_id if settings.back_end == "assistants" else model_of(settings)
    return f"{settings.back_end} at {settings.base_url}, {answering}"


def _announce(text: str) -> None:
    """Aiohttp's banner as one line of the log: it names the port where a free one was asked for."""
    logger.info("%s", text.splitlines()[0].strip("= "))
