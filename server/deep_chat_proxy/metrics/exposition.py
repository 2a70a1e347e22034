"""GET /metrics: the figures as Prometheus reads them."""

import asyncio
import os

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from deep_chat_proxy.metrics.figures import Figures
from deep_chat_proxy.metrics.requests import count_requests

# As prometheus_client names it; whoever starts several processes sets it.
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


def setup_metrics(app: web.Application, figures: Figures) -> None:
    """Add `GET /metrics` to `app`, and count its requests in front of the middlewares that it has."""
    together = _FOLDER in os.environ
    if not together:
        ProcessCollector(registry=figures.registry)

    async def metrics(_: web.Request) -> web.Response:
        # It reads files: those of the other processes, or the system's about this one.
        body = await asyncio.to_thread(_of_all if together else _of, figures.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def forget_what_is_under_way(_: web.Application) -> None:
        await asyncio.to_thread(mark_process_dead, os.getpid())

    app.router.add_get("/metrics", metrics)
    app.middlewares.insert(0, count_requests(figures))
    if together:
        app.on_cleanup.append(forget_what_is_under_way)


def _of(registry: CollectorRegistry) -> bytes:
    return generate_latest(registry)


def _of_all(_: CollectorRegistry) -> bytes:
    """What all processes have counted, those that are no more too."""
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return generate_latest(together)
