"""Items of a conversation: create, list, retrieve, delete."""

from aiohttp import web

from deep_chat_proxy.local_openai import body, paging
from deep_chat_proxy.local_openai.responses import errors
from deep_chat_proxy.local_openai.responses.conversations import find
from deep_chat_proxy.local_openai.responses.new_items import new_items
from deep_chat_proxy.local_openai.responses.objects import Item
from deep_chat_proxy.local_openai.responses.requests import CreateItems
from deep_chat_proxy.local_openai.responses.shown import included, shown_item, shown_items
from deep_chat_proxy.local_openai.state import STATE


def _find_item(request: web.Request) -> Item:
    """Raises ApiError (400, 404)."""
    item_id = request.match_info["item_id"]
    item = find(request).items.get(item_id)
    if item is None:
        raise errors.item_not_found(item_id)
    return item


async def create(request: web.Request) -> web.Response:
    asked = await body.read(request, CreateItems)
    state = request.app[STATE]
    kept = find(request)
    if kept.answering is not None:
        raise errors.conversation_locked()
    items = new_items(state, asked.items, "items")
    if len(kept.items) + len(items) > state.options.max_messages:
        raise errors.full(state.options.max_messages, "items")
    kept.add(items)
    state.conversations.grow(kept.conversation.id, len(await request.read()))
    shown = shown_items(items, included(request))
    return body.answer(paging.list_object(shown, [item["id"] for item in items], has_more=False))


async def list_items(request: web.Request) -> web.Response:
    items = shown_items(find(request).items.values(), included(request))
    chosen, has_more = paging.page(
        items, paging.query(request), what="item", id_of=lambda item: str(item["id"])
    )
    return body.answer(paging.list_object(chosen, [item["id"] for item in chosen], has_more=has_more))


async def retrieve(request: web.Request) -> web.Response:
    return body.answer(shown_item(_find_item(request), included(request)))


async def delete(request: web.Request) -> web.Response:
    """Gives back the conversation."""
    item_id = _find_item(request)["id"]
    kept = find(request)
    if kept.answering is not None:
        raise errors.conversation_locked()
    del kept.items[item_id]
    return body.answer(kept.conversation)
