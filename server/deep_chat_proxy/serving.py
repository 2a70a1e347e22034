"""Serving the app as a process: the listening socket, signals, the end."""

import asyncio
import gc
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from ipaddress import ip_address

from aiohttp import web
from msgspec.structs import replace
from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks

from deep_chat_proxy.app import create_app
from deep_chat_proxy.backend import model_of
from deep_chat_proxy.configuration import variable
from deep_chat_proxy.event_loop import loop_factory
from deep_chat_proxy.logs import setup_logs
from deep_chat_proxy.open_files import allow_many
from deep_chat_proxy.settings import Settings
from deep_chat_proxy.workers.child import END

logger = logging.getLogger("deep_chat_proxy")

# Longer than load balancers keep an idle connection, so that they close it and no request is lost; seconds.
_KEEP_ALIVE = 75.0
# How many may have come before they are let in: when everybody's page comes back at once, hundreds do.
_BACKLOG = 1024
# For handlers that are still busy after every stream was told to end, as a part of the time for clearing up.
_BUSY_HANDLERS = 0.4
# How much is made before what refers to itself is looked for. With what Python has for programs in general, hundreds of
# turns under way are looked through again and again, for next to nothing.
_COLLECT = (20_000, 20, 100)
_THIS_MACHINE = ("localhost", "*.localhost", "127.0.0.1", "[::1]")
# For a process that is ended from within to be gone, as a part of the time for clearing up: what turns and handlers
# have of it is theirs to the end.
_EXIT = 0.1


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. Raises OSError where the address is taken."""
    setup_logs(settings.log_level)
    app = app_of(settings)
    tell_of_back_end(settings)
    run(app, settings, announce=announce)


def app_of(settings: Settings, local_openai: str | None = None) -> web.Application:
    """The application as a process serves it. Raises OSError, ToolError."""
    # What is loaded stays: no collection has to look through it, while it is loaded or later.
    gc.disable()
    # Without that whatever is installed that could be told of repeated calls is loaded.
    set_on_retry_hooks([LoggingOnRetryHook])
    named = replace(settings, allowed_hosts=host_names(settings))
    app = create_app(named, local_openai=local_openai)
    app.on_startup.extend((_loaded, _end_once))
    app.on_shutdown.insert(0, _end_in_time(settings.shutdown - settings.clearing * _EXIT))
    return app


def run(
    app: web.Application, settings: Settings, *, announce: Callable[[str], None], shared: bool = False
) -> None:
    """Serve `app` until SIGINT or SIGTERM; `announce` is given the text that says where, once it does. `shared`: other
    processes listen at the same address. Raises OSError where the address is taken.
    """
    allow_many()
    web.run_app(
        app,
        host=settings.host,
        port=settings.port,
        reuse_port=shared,
        access_log=None,
        backlog=_BACKLOG,
        # Only so is a browser that leaves noticed at once.
        handler_cancellation=True,
        keepalive_timeout=_KEEP_ALIVE,
        shutdown_timeout=settings.clearing * _BUSY_HANDLERS,
        print=announce,
        loop=loop_factory(settings.loop)(),
    )


def tell_of_back_end(settings: Settings) -> None:
    """Log which back end answers, and what is set for another one."""
    logger.info("back end: %s", _named(settings))
    if settings.back_end == "local" and (settings.openai_api_key or settings.openai_base_url):
        logger.warning(
            "a key or an address of a back end is set, but DEEP_CHAT_UPSTREAM=local has the local one used"
        )
    for name in settings.unused:
        logger.warning("%s does nothing with this protocol", variable(name))


async def _loaded(_: web.Application) -> None:
    gc.freeze()
    gc.set_threshold(*_COLLECT)
    gc.enable()


async def _end_once(_: web.Application) -> None:
    """Have aiohttp hear the first signal only: it would leave the loop at the next one, and all that is being ended with
    it. Ctrl-C with several workers sends each of them two at once.
    """
    ending = False

    def end() -> None:
        nonlocal ending
        if not ending:
            ending = True
            raise web.GracefulExit

    # On Windows loops hear no signals.
    with suppress(NotImplementedError):
        for number in END:
            asyncio.get_running_loop().add_signal_handler(number, end)


def host_names(settings: Settings) -> tuple[str, ...]:
    """The names that the server answers to: those that are set, else, where nobody but this machine can reach it, those
    of this machine, so that no page elsewhere makes itself one of them. Empty: any.
    """
    if settings.allowed_hosts:
        return settings.allowed_hosts
    try:
        address = ip_address(settings.host)
    except ValueError:
        return _THIS_MACHINE if settings.host == "localhost" else ()
    bound = str(address) if address.version == 4 else f"[{address}]"
    return (*_THIS_MACHINE, bound) if address.is_loopback else ()


def _end_in_time(seconds: float) -> Callable[[web.Application], Awaitable[None]]:
    """Have the process end in time, whatever keeps it: what matters is in the store before it happens."""

    async def end_in_time(_: web.Application) -> None:
        timer = threading.Timer(seconds, _give_up)
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


def announce(text: str) -> None:
    """Aiohttp's banner as one line of the log: it names the port where a free one was asked for."""
    logger.info("%s", text.splitlines()[0].strip("= "))
