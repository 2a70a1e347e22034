"""Responses that are kept: retrieve, follow, cancel, delete, and what they answer."""

import asyncio
import time

from aiohttp import web

from deep_chat_proxy.local_openai import body, paging
from deep_chat_proxy.local_openai.errors import bad_id, invalid_value
from deep_chat_proxy.local_openai.event_stream import send
from deep_chat_proxy.local_openai.responses import errors
from deep_chat_proxy.local_openai.responses.kept import ResponseKept
from deep_chat_proxy.local_openai.responses.shown import included, shown_items
from deep_chat_proxy.local_openai.state import STATE


def _find(request: web.Request) -> ResponseKept:
    """Raises ApiError (400 for what is no response id at all, 404)."""
    response_id = request.match_info["response_id"]
    if not response_id.startswith("resp"):
        raise bad_id("response_id", response_id, "resp")
    kept = request.app[STATE].responses.get(response_id)
    if kept is None:
        raise errors.response_not_found(response_id)
    return kept


async def retrieve(request: web.Request) -> web.StreamResponse:
    kept = _find(request)
    if request.query.get("stream", "").casefold() in {"true", "1"}:
        return await _stream(request, kept)
    return body.answer(kept.shown(kept.include | included(request)))


async def _stream(request: web.Request, kept: ResponseKept) -> web.StreamResponse:
    ttl = request.app[STATE].options.resume_ttl
    if not kept.replayable:
        raise errors.not_streamable(kept.response.id)
    if kept.log is None or time.time() - kept.response.created_at > ttl:
        raise errors.streamable_no_more(round(ttl / 60))
    listener = kept.listen(_starting_after(request))
    try:
        return await send(request, listener, done=b"")
    finally:
        kept.leave(listener)


def _starting_after(request: web.Request) -> int:
    number = request.query.get("starting_after", "-1")
    if number == "-1":
        return -1
    if not number.isascii() or not number.isdigit() or len(number) > 9:
        raise invalid_value("starting_after", "expected the number of an event.")
    return int(number)


async def cancel(request: web.Request) -> web.Response:
    """A response that has ended, cancelled or not, is given back as it is."""
    kept = _find(request)
    if not kept.response.background:
        raise errors.not_in_background()
    if kept.active and kept.task is not None:
        kept.cancel_asked = True
        kept.task.cancel()
        await asyncio.wait([kept.task])
    return body.answer(kept.shown())


async def delete(request: web.Request) -> web.Response:
    response_id = _find(request).response.id
    request.app[STATE].responses.drop(response_id)
    return body.answer({"id": response_id, "object": "response", "deleted": True})


async def list_input_items(request: web.Request) -> web.Response:
    items = shown_items(_find(request).given, included(request))
    chosen, has_more = paging.page(
        items, paging.query(request), what="item", id_of=lambda item: str(item["id"])
    )
    return body.answer(paging.list_object(chosen, [item["id"] for item in chosen], has_more=has_more))
