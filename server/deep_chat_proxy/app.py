"""The application, on one screen: middlewares, routes, lifetimes."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from aiohttp import web

from deep_chat_proxy.backend import open_backend
from deep_chat_proxy.browser.keys import CHAT, Chat
from deep_chat_proxy.browser.limits import RequestLimits
from deep_chat_proxy.browser.page import setup_page
from deep_chat_proxy.browser.routes import setup_routes
from deep_chat_proxy.browser.stream import StreamDelivery
from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.middleware.access_log import access_log
from deep_chat_proxy.middleware.errors import errors
from deep_chat_proxy.middleware.headers import setup_headers
from deep_chat_proxy.middleware.origin import origin_middleware, setup_cors
from deep_chat_proxy.middleware.sealing import Sealer
from deep_chat_proxy.middleware.session import CookieRules, session_middleware, setup_session
from deep_chat_proxy.settings import Settings
from deep_chat_proxy.store.keeper import StoreKeeper
from deep_chat_proxy.store.processes import Process
from deep_chat_proxy.store.secret import kept_secret
from deep_chat_proxy.store.shelf import Shelf
from deep_chat_proxy.store.sqlite import SqliteStore
from deep_chat_proxy.store.turns import SqliteTurns
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.tools import Registry, Tool, ToolError, ToolExecutor, load_tools
from deep_chat_proxy.tools.weather import get_weather
from deep_chat_proxy.turn.journal import OpenTurn
from deep_chat_proxy.turn.ports import Dialect, Keeper, UpstreamTurn
from deep_chat_proxy.turn.turns import LiveTurns

logger = logging.getLogger("deep_chat_proxy")

_DAY = 24 * 3600


def create_app(
    settings: Settings | None = None, *, tools: Iterable[Tool[..., Any]] | None = None
) -> web.Application:
    """The server as an aiohttp application, to be run alone or under `add_subapp`.

    `settings` are the defaults where none are given. `tools` are the functions that the model may call; the
    file that `settings.tools` names where none are given, and the example where that is empty too and the back
    end is the local one. Reads files, so call it before the loop runs. Raises ToolError, OSError.
    """
    settings = settings or Settings()
    registry = registry_of(settings) if tools is None else Registry(tools)
    sealer = Sealer(_secrets(settings), settings.session_days * _DAY)
    app = web.Application(
        middlewares=[
            access_log,
            errors,
            session_middleware(sealer),
            origin_middleware(settings.allowed_origins),
        ]
    )
    setup_session(
        app, sealer, CookieRules(settings.session_days * _DAY, settings.secure_cookie, settings.same_site)
    )
    setup_cors(app, settings.allowed_origins)
    setup_headers(app)
    setup_routes(app)
    setup_page(app)

    app.cleanup_ctx.append(_chat(settings, registry))
    app.on_shutdown.append(_end_turns(settings))
    return app


def _chat(settings: Settings, registry: Registry) -> Callable[[web.Application], AsyncIterator[None]]:
    """What the handlers find in the app, for as long as it runs."""

    async def chat(app: web.Application) -> AsyncIterator[None]:
        async with AsyncExitStack() as lifetimes:
            store = await SqliteStore.open(str(_store_path(settings) or ":memory:"))
            lifetimes.push_async_callback(store.close)
            process = await asyncio.to_thread(Process, _beside_store(settings, ".processes"))
            lifetimes.push_async_callback(process.close)
            journal = SqliteTurns(store.database, process, kept=max(settings.readable, settings.resend))
            shelf = Shelf(_beside_store(settings, ".files"), settings.kept_files)
            lifetimes.push_async_callback(shelf.close)
            executor = ToolExecutor(registry, timeout=settings.tool_timeout, max_output=settings.tool_output)
            lifetimes.push_async_callback(executor.close, wait=settings.clearing / 4)
            dialect = await lifetimes.enter_async_context(open_backend(settings, registry.definitions()))
            tasks = Tasks()
            lifetimes.push_async_callback(tasks.close)
            tasks.start(_prepare(dialect), name="prepare the back end")

            def opening(turn: OpenTurn) -> tuple[UpstreamTurn, Keeper]:
                kept = StoreKeeper(store, journal, shelf, turn)
                return dialect.turn(kept, turn.message), kept

            turns = LiveTurns(settings.turn_limits, executor, journal, opening)
            lifetimes.push_async_callback(turns.close)
            await turns.pick_up()
            await process.clear_up(await journal.files())
            if journal.durable:
                tasks.start(turns.look_after(), name="look after turns")
            app[CHAT] = Chat(
                store=store,
                shelf=shelf,
                files=dialect.files,
                turns=turns,
                limits=_request_limits(settings),
                delivery=StreamDelivery(
                    heartbeat=settings.heartbeat, pace=settings.pace, silence=settings.longest_silence
                ),
                spool=process.folder,
                tasks=tasks,
            )
            yield

    return chat


def _end_turns(settings: Settings) -> Callable[[web.Application], Awaitable[None]]:
    """Streams end, at last with an error event that says to try again, before aiohttp waits for their handlers."""

    async def end_turns(app: web.Application) -> None:
        logger.info("ending; %d turns are under way", len(app[CHAT].turns))
        await app[CHAT].turns.close(settings.shutdown - settings.clearing, settings.clearing / 2)

    return end_turns


async def _prepare(dialect: Dialect) -> None:
    """What can be found out of the back end is, before the first visitor comes; one that is down is asked later."""
    try:
        await dialect.prepare()
    except ChatError as fault:
        logger.warning("the back end does not answer as it should: %s: %s", fault.problem.code, fault.cause)


def registry_of(settings: Settings) -> Registry:
    """The tools that the settings name. Raises ToolError."""
    if settings.tools:
        try:
            return Registry(load_tools(Path(settings.tools)))
        except ToolError as fault:
            raise ToolError(f"DEEP_CHAT_TOOLS: {fault}") from fault
    return Registry([get_weather] if settings.back_end == "local" else [])


def _store_path(settings: Settings) -> Path | None:
    where = settings.store.removeprefix("sqlite:")
    return None if where == ":memory:" else Path(where).expanduser()


def _beside_store(settings: Settings, suffix: str) -> Path | None:
    path = _store_path(settings)
    return None if path is None else path.with_suffix(suffix)


def _secrets(settings: Settings) -> list[str]:
    if settings.secrets:
        return settings.secrets
    path = _store_path(settings)
    return [secrets.token_urlsafe(32) if path is None else kept_secret(path)]


def _request_limits(settings: Settings) -> RequestLimits:
    return RequestLimits(
        max_body=settings.max_body,
        max_field_bytes=settings.max_body,
        max_text=settings.max_text,
        max_files=settings.max_files,
        max_file_bytes=settings.max_file_size,
        max_upload_bytes=settings.max_upload,
    )
