"""The back end that the settings name, and the dialect that is spoken with it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp import web
from stamina.instrumentation import get_on_retry_hooks

from deep_chat_proxy.settings import OPENAI_MODEL, Settings
from deep_chat_proxy.tools import ToolDefinition
from deep_chat_proxy.turn.ports import Dialect
from deep_chat_proxy.upstream.client import ApiClient, Endpoint
from deep_chat_proxy.upstream.files import Files
from deep_chat_proxy.upstream.gathering import FrameClock
from deep_chat_proxy.upstream.recordings import RecordingOptions

_LOCAL_MODEL = "local-1"
LOCAL_TOOLS = ("web_search", "code_interpreter", "image_generation")

Function = Mapping[str, object]


class BackEnd(Dialect, Protocol):
    """A dialect together with the files of its back end."""

    @property
    def files(self) -> Files:
        """Where what the assistant made is read."""


@asynccontextmanager
async def open_backend(
    settings: Settings, tools: Sequence[ToolDefinition], local_openai: str | None = None
) -> AsyncIterator[BackEnd]:
    """The dialect of `settings.back_end`, ready to be used. A local OpenAI runs for as long as it is open, where that is
    the back end and does not run elsewhere, at the base URL `local_openai`.
    """
    async with open_client(settings, local_openai, every_protocol=False) as client:
        yield dialect_of(settings, client, functions_of(tools))


def functions_of(tools: Sequence[ToolDefinition]) -> list[Function]:
    """The tools as dialects take them."""
    return [
        {"name": tool.name, "description": tool.description, "parameters": tool.parameters} for tool in tools
    ]


@asynccontextmanager
async def open_client(
    settings: Settings, local_openai: str | None = None, *, every_protocol: bool = True
) -> AsyncIterator[ApiClient]:
    """A client of the back end; `local_openai` as in `open_backend`. One that is started here speaks every protocol, or
    only the one that is spoken with it.
    """
    # Who is told of calls that are repeated is found out by loading packages, which else happens at the first of them.
    await asyncio.to_thread(get_on_retry_hooks)
    async with (
        _base_url(settings, local_openai, every_protocol=every_protocol) as base_url,
        _session(settings) as session,
    ):
        yield ApiClient(session, _endpoint(settings, base_url), FrameClock(settings.longest_frame))


def dialect_of(settings: Settings, client: ApiClient, functions: Sequence[Function]) -> BackEnd:
    """The dialect that the settings name, of which alone the code is loaded."""
    match settings.back_end:
        case "assistants":
            return _assistants(settings, client, functions)
        case "chat":
            return _chat(settings, client, functions)
        case _:
            return _responses(settings, client, functions)


def model_of(settings: Settings) -> str:
    """The model that answers, where the back end has to be told."""
    return settings.model or (_LOCAL_MODEL if settings.back_end == "local" else OPENAI_MODEL)


def _assistants(settings: Settings, client: ApiClient, functions: Sequence[Function]) -> BackEnd:
    from deep_chat_proxy.upstream.assistants.dialect import AssistantsDialect  # noqa: PLC0415
    from deep_chat_proxy.upstream.assistants.options import AssistantsOptions  # noqa: PLC0415

    options = AssistantsOptions(
        assistant_id=settings.assistant_id,
        model=settings.model or None,
        instructions=settings.instructions or None,
        stream=settings.follow != "poll",
        file_tool=settings.file_tool,
        recordings=_recordings(settings),
    )
    return AssistantsDialect(client, options, functions)


def _responses(settings: Settings, client: ApiClient, functions: Sequence[Function]) -> BackEnd:
    from deep_chat_proxy.upstream.responses.dialect import ResponsesDialect  # noqa: PLC0415
    from deep_chat_proxy.upstream.responses.options import ResponsesOptions, Way  # noqa: PLC0415
    from deep_chat_proxy.upstream.responses.tools import hosted_tools  # noqa: PLC0415

    names = LOCAL_TOOLS if settings.back_end == "local" else settings.hosted_tools
    servers = [{"server_label": label, **server} for label, server in settings.mcp_servers.items()]
    known_to_keep = settings.at_openai or settings.back_end == "local"
    state = "conversation" if settings.thread_state == "auto" and known_to_keep else settings.thread_state
    options = ResponsesOptions(
        model=model_of(settings),
        instructions=settings.instructions or None,
        way=None if state == "auto" else Way(state),
        stream=settings.follow != "poll",
        hosted=hosted_tools(names, settings.vector_stores, servers),
        reasoning=_reasoning(settings),
        upload={"auto": None, "always": True, "never": False}[settings.upload_files],
        history_tokens=settings.history_tokens,
        longest_answer=settings.max_answer,
        longest_text=settings.max_text,
        largest_file=settings.max_file_size,
        recordings=_recordings(settings),
    )
    return ResponsesDialect(client, options, functions)


def _reasoning(settings: Settings) -> dict[str, str]:
    chosen = {"effort": settings.reasoning_effort} if settings.reasoning_effort else {}
    if settings.reasoning_summary != "off":
        chosen["summary"] = settings.reasoning_summary
    return chosen


def _chat(settings: Settings, client: ApiClient, functions: Sequence[Function]) -> BackEnd:
    from deep_chat_proxy.upstream.chat_completions.dialect import ChatDialect  # noqa: PLC0415
    from deep_chat_proxy.upstream.chat_completions.options import ChatOptions  # noqa: PLC0415

    options = ChatOptions(
        model=model_of(settings),
        instructions=settings.instructions or None,
        stream=settings.follow != "poll",
        reasoning_effort=settings.reasoning_effort,
        history_tokens=settings.history_tokens,
        longest_answer=settings.max_answer,
        longest_text=settings.max_text,
        recordings=_recordings(settings),
    )
    return ChatDialect(client, options, functions)


def _recordings(settings: Settings) -> RecordingOptions:
    return RecordingOptions(settings.audio, settings.transcription_model, settings.max_text)


@asynccontextmanager
async def _base_url(
    settings: Settings, local_openai: str | None, *, every_protocol: bool
) -> AsyncIterator[str]:
    if settings.back_end != "local" or local_openai is not None:
        yield local_openai or settings.base_url
        return
    # Imported only where it is used: a server with a real back end has no need of it.
    from deep_chat_proxy.local_openai import LocalOptions, create_local_openai  # noqa: PLC0415

    local = create_local_openai(LocalOptions(assistants=every_protocol, chat=every_protocol))
    runner = web.AppRunner(local, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


def _session(settings: Settings) -> aiohttp.ClientSession:
    """No limit on connections, since each live turn holds one and turns are limited; no cookies of a back end."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=settings.back_end != "local" and _behind_proxy(settings.base_url),
    )


def _behind_proxy(base_url: str) -> bool:
    """Whether the environment names a proxy for the way there. aiohttp would look for one at each call, on a thread."""
    where = urlsplit(base_url)
    return where.scheme in getproxies() and not proxy_bypass(where.hostname or "")


def _endpoint(settings: Settings, base_url: str) -> Endpoint:
    return Endpoint(
        base_url=base_url,
        headers={**_key_header(settings), **settings.upstream_headers},
        query=settings.upstream_query,
        connect=settings.connect_timeout,
        answer=settings.answer_timeout,
        first=settings.first_event_timeout,
        silence=settings.silence_timeout,
    )


def _key_header(settings: Settings) -> dict[str, str]:
    """The key as the back end wants it; servers that ask for none get none."""
    key = settings.openai_api_key or ("local" if settings.back_end == "local" else "")
    if not key:
        return {}
    return {"api-key": key} if settings.api_key_header == "api-key" else {"Authorization": f"Bearer {key}"}
