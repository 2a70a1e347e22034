"""Running the local OpenAI by itself."""

import asyncio
import logging

from aiohttp import web

from deep_chat_proxy.local_openai.app import create_local_openai
from deep_chat_proxy.local_openai.options import DEFAULTS, LocalOptions

logger = logging.getLogger("deep_chat_proxy.local_openai")


async def run_local_openai(
    host: str = "127.0.0.1",
    port: int = 8081,
    options: LocalOptions = DEFAULTS,
    *,
    ready: asyncio.Event | None = None,
) -> None:
    """Serve until cancelled. `port` 0 takes a free one; the base URL is logged, and `ready` then set.

    Raises OSError where the address cannot be had.
    """
    runner = web.AppRunner(
        create_local_openai(options), handler_cancellation=True, access_log=None, shutdown_timeout=1
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        logger.info("local OpenAI at http://%s:%d/v1", *runner.addresses[0][:2])
        if ready is not None:
            ready.set()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
