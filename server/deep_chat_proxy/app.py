"""The application, on one screen: middlewares, routes, lifetimes."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Middleware

from deep_chat_proxy.backend import open_backend
from deep_chat_proxy.browser.files_in.sniff import media_types_of
from deep_chat_proxy.browser.keys import CHAT, Chat
from deep_chat_proxy.browser.limits import RequestLimits
from deep_chat_proxy.browser.memory import BodyMemory
from deep_chat_proxy.browser.page import setup_page
from deep_chat_proxy.browser.routes import setup_routes
from deep_chat_proxy.browser.stream import StreamDelivery
from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.middleware.access_log import access_log
from deep_chat_proxy.middleware.cookie import CookieRules
from deep_chat_proxy.middleware.errors import errors
from deep_chat_proxy.middleware.headers import setup_headers
from deep_chat_proxy.middleware.hosts import host_middleware
from deep_chat_proxy.middleware.origin import origin_middleware, setup_cors
from deep_chat_proxy.middleware.sealing import Sealer
from deep_chat_proxy.middleware.session import cookie_session, handle_session, setup_cookie
from deep_chat_proxy.peers.answering import PeerServer
from deep_chat_proxy.peers.asking import Peers
from deep_chat_proxy.settings import Settings
from deep_chat_proxy.store.allowances import Allowances, Amount
from deep_chat_proxy.store.expiry import Expiry
from deep_chat_proxy.store.keeper import StoreKeeper
from deep_chat_proxy.store.leaving import Leaving
from deep_chat_proxy.store.processes import Process
from deep_chat_proxy.store.secret import kept_secret
from deep_chat_proxy.store.shelf import Shelf
from deep_chat_proxy.store.sqlite import SqliteStore
from deep_chat_proxy.store.threads import SqliteThreads
from deep_chat_proxy.store.titles import Titles
from deep_chat_proxy.store.turns import SqliteTurns
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.tools import Registry, Tool, ToolError, ToolExecutor, load_tools
from deep_chat_proxy.tools.weather import get_weather
from deep_chat_proxy.turn.journal import OpenTurn
from deep_chat_proxy.turn.observer import Observer
from deep_chat_proxy.turn.ports import Dialect, Keeper, UpstreamTurn
from deep_chat_proxy.turn.turns import LiveTurns

logger = logging.getLogger("deep_chat_proxy")

_PROBES = {"/healthz", "/readyz", "/metrics"}
_DAY = 24 * 3600


def create_app(
    settings: Settings | None = None,
    *,
    tools: Iterable[Tool[..., Any]] | None = None,
    local_openai: str | None = None,
) -> web.Application:
    """The server as an aiohttp application, to be run alone or under `add_subapp`.

    `settings` are the defaults where none are given. `tools` are the functions that the model may call; the
    file that `settings.tools` names where none are given, and the example where that is empty too and the back
    end is the local one. `local_openai` is the base URL of a local OpenAI that runs elsewhere, where the back end is that;
    otherwise the app runs one of its own. Reads files, so call it before the loop runs. Raises ToolError, OSError.
    """
    settings = settings or Settings()
    registry = registry_of(settings) if tools is None else Registry(tools)
    app = web.Application()
    setup_routes(app)
    setup_page(app)
    observer = _setup_figures(app, settings)
    _setup_front(app, settings)

    app.cleanup_ctx.append(_chat(settings, registry, local_openai, observer))
    app.on_shutdown.append(_end_turns(settings))
    return app


def _setup_figures(app: web.Application, settings: Settings) -> Observer | None:
    if settings.metrics == "off":
        return None
    from deep_chat_proxy.metrics import Figures, setup_metrics  # noqa: PLC0415 - its package is an extra

    figures = Figures()
    setup_metrics(app, figures)
    return figures


def _setup_front(app: web.Application, settings: Settings) -> None:
    """Who may ask, and from where: what a request passes on its way to the routes of `app`, and its answer on its way
    back.
    """
    api = [resource for resource in app.router.resources() if resource.canonical.startswith("/api/")]
    # Files are fetched by elements of a page (`<img>`), which send no origin.
    guarded = [resource for resource in api if not resource.canonical.startswith("/api/files/")]
    probes = [resource for resource in app.router.resources() if resource.canonical in _PROBES]
    app.middlewares.extend(
        [
            access_log,
            errors,
            host_middleware(settings.allowed_hosts, probes),
            origin_middleware(settings.allowed_origins, guarded),
            _sessions(app, settings),
        ]
    )
    setup_cors(app, settings.allowed_origins)
    setup_headers(app, shared=bool(settings.allowed_origins))


def _sessions(app: web.Application, settings: Settings) -> Middleware:
    """By what a visitor is known."""
    if settings.visitors == "handle":
        return handle_session(settings.handle_days * _DAY)
    rules = CookieRules(
        settings.session_days * _DAY,
        settings.secure_cookie,
        settings.same_site,
        partitioned=settings.partitioned_cookie == "yes",
    )
    sealer = Sealer(_secrets(settings), rules.lifetime)
    setup_cookie(app, sealer, rules)
    return cookie_session(sealer, rules)


def _chat(
    settings: Settings, registry: Registry, local_openai: str | None, observer: Observer | None
) -> Callable[[web.Application], AsyncIterator[None]]:
    """What the handlers find in the app, for as long as it runs."""

    async def chat(app: web.Application) -> AsyncIterator[None]:
        async with AsyncExitStack() as lifetimes:
            where = str(settings.store_path or ":memory:")
            store = await SqliteStore.open(where, most_threads=settings.max_threads)
            lifetimes.push_async_callback(store.close)
            process = await asyncio.to_thread(Process, settings.beside_store(".processes"))
            lifetimes.push_async_callback(process.close)
            journal = SqliteTurns(store.database, process, kept=max(settings.readable, settings.resend))
            shelf = Shelf(settings.beside_store(".files"), settings.kept_files)
            lifetimes.push_async_callback(shelf.close)
            executor = ToolExecutor(registry, timeout=settings.tool_timeout, max_output=settings.tool_output)
            lifetimes.push_async_callback(executor.close, wait=settings.clearing / 4)
            back_end = open_backend(settings, registry.definitions(), local_openai)
            dialect = await lifetimes.enter_async_context(back_end)
            tasks = Tasks()
            lifetimes.push_async_callback(tasks.close)
            tasks.start(_prepare(dialect), name="prepare the back end")

            titles = _titles(settings, store, dialect, tasks)

            def opening(turn: OpenTurn) -> tuple[UpstreamTurn, Keeper]:
                kept = StoreKeeper(store, journal, shelf, turn, titles=titles, spare=settings.spare_files)
                return dialect.turn(kept, turn.message), kept

            turns = LiveTurns(
                settings.turn_limits, executor, journal, opening, Peers(process.address), observer=observer
            )
            lifetimes.push_async_callback(turns.close)
            peers = await PeerServer.open(process.address(process.name), turns)
            lifetimes.push_async_callback(peers.close)
            await turns.pick_up()
            if journal.durable:
                tasks.start(turns.look_after(), name="look after turns")
            threads = SqliteThreads(store.database)
            leaving = Leaving(store.database, shelf, dialect.delete)
            expiry = Expiry(threads, journal, process, shelf=shelf, leaving=leaving, kept=settings.kept_for)
            lifetimes.push_async_callback(_upkeep(leaving, expiry).close)
            app[CHAT] = Chat(
                store=store,
                threads=threads,
                leaving=leaving,
                shelf=shelf,
                files=dialect.files,
                turns=turns,
                limits=_request_limits(settings),
                memory=BodyMemory(max(settings.bodies_in_memory, settings.max_body)),
                allowances=Allowances(store.database, Amount(settings.daily_files, settings.daily_upload)),
                delivery=_delivery(settings),
                spool=process.folder,
                tasks=tasks,
                history_page=settings.history_page,
            )
            yield

    return chat


def _delivery(settings: Settings) -> StreamDelivery:
    return StreamDelivery(heartbeat=settings.heartbeat, pace=settings.pace, silence=settings.longest_silence)


def _end_turns(settings: Settings) -> Callable[[web.Application], Awaitable[None]]:
    """Streams end, at last with an error event that says to try again, before aiohttp waits for their handlers."""

    async def end_turns(app: web.Application) -> None:
        logger.info("ending; %d turns are under way", len(app[CHAT].turns))
        await app[CHAT].turns.close(settings.shutdown - settings.clearing, settings.clearing / 2)

    return end_turns


def _upkeep(leaving: Leaving, expiry: Expiry) -> Tasks:
    """What deletes beside all that visitors do."""
    upkeep = Tasks()
    upkeep.start(leaving.run(), name="delete what is no longer held")
    upkeep.start(expiry.run(), name="delete old threads")
    return upkeep


def _titles(settings: Settings, store: SqliteStore, dialect: Dialect, tasks: Tasks) -> Titles | None:
    model = settings.title_model
    if not model:
        return None
    return Titles(store.database, lambda text: dialect.title(model, text), tasks)


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


def _secrets(settings: Settings) -> list[str]:
    if settings.secrets:
        return settings.secrets
    path = settings.store_path
    return [secrets.token_urlsafe(32) if path is None else kept_secret(path)]


def _request_limits(settings: Settings) -> RequestLimits:
    return RequestLimits(
        max_body=settings.max_body,
        max_field_bytes=settings.max_body,
        max_text=settings.max_text,
        max_files=settings.max_files,
        max_file_bytes=settings.max_file_size,
        max_upload_bytes=settings.max_upload,
        accepted=media_types_of(settings.file_kinds),
    )
