"""The back end that the settings name, and the dialect that is spoken with it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from deep_chat_proxy.settings import Settings
from deep_chat_proxy.tools import ToolDefinition
from deep_chat_proxy.upstream.assistants.dialect import AssistantsDialect
from deep_chat_proxy.upstream.assistants.options import AssistantsOptions
from deep_chat_proxy.upstream.client import ApiClient, Endpoint

_LOCAL_ASSISTANT = "asst_local"


@asynccontextmanager
async def open_backend(
    settings: Settings, tools: Sequence[ToolDefinition]
) -> AsyncIterator[AssistantsDialect]:
    """The dialect of `settings.upstream`, ready to be used; the local OpenAI runs for as long as it is open."""
    async with _base_url(settings) as base_url, _session(settings) as session:
        client = ApiClient(session, _endpoint(settings, base_url))
        functions = [
            {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
            for tool in tools
        ]
        yield AssistantsDialect(client, _options(settings), functions)


@asynccontextmanager
async def _base_url(settings: Settings) -> AsyncIterator[str]:
    if settings.upstream != "local":
        yield settings.openai_base_url.rstrip("/")
        return
    # Imported only where it is used: a server with a real back end has no need of it.
    from deep_chat_proxy.local_openai import create_local_openai  # noqa: PLC0415

    runner = web.AppRunner(
        create_local_openai(), access_log=None, handler_cancellation=True, shutdown_timeout=0.1
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


def _session(settings: Settings) -> aiohttp.ClientSession:
    """No limit on connections, since each live turn holds one and turns are limited; no cookies of a back end.

    A proxy that the environment names is for the way out, not for our own back end on this machine.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=settings.upstream != "local",
    )


def _endpoint(settings: Settings, base_url: str) -> Endpoint:
    key = settings.openai_api_key or "local"
    auth = {"api-key": key} if settings.api_key_header == "api-key" else {"Authorization": f"Bearer {key}"}
    return Endpoint(
        base_url=base_url,
        headers={**auth, **settings.upstream_headers},
        query=settings.upstream_query,
        connect=settings.connect_timeout,
        answer=settings.answer_timeout,
        silence=settings.silence_timeout,
    )


def _options(settings: Settings) -> AssistantsOptions:
    return AssistantsOptions(
        assistant_id=settings.assistant_id or _LOCAL_ASSISTANT,
        model=settings.model or None,
        instructions=settings.instructions or None,
        stream=settings.follow != "poll",
        file_tool=settings.file_tool,
    )
