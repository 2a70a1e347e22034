"""Conversations: create, retrieve, modify, delete."""

import time

from aiohttp import web

from deep_chat_proxy.local_openai import body
from deep_chat_proxy.local_openai.ids import new_id
from deep_chat_proxy.local_openai.responses.context import find_conversation
from deep_chat_proxy.local_openai.responses.kept import ConversationKept
from deep_chat_proxy.local_openai.responses.new_items import new_items
from deep_chat_proxy.local_openai.responses.objects import Conversation
from deep_chat_proxy.local_openai.responses.requests import CreateConversation, ModifyConversation
from deep_chat_proxy.local_openai.state import STATE


def find(request: web.Request) -> ConversationKept:
    """The one that the path names. Raises ApiError (400, 404)."""
    return find_conversation(request.app[STATE], request.match_info["conversation_id"], "conversation_id")


async def create(request: web.Request) -> web.Response:
    asked = await body.read(request, CreateConversation)
    state = request.app[STATE]
    items = new_items(state, asked.items, "items")
    conversation = Conversation(
        id=new_id("conv_"), created_at=int(time.time()), metadata=asked.metadata or {}
    )
    kept = ConversationKept(conversation)
    kept.add(items)
    state.conversations.put(conversation.id, kept, len(await request.read()))
    return body.answer(conversation)


async def retrieve(request: web.Request) -> web.Response:
    return body.answer(find(request).conversation)


async def modify(request: web.Request) -> web.Response:
    asked = await body.read(request, ModifyConversation)
    conversation = find(request).conversation
    conversation.metadata = asked.metadata or {}
    return body.answer(conversation)


async def delete(request: web.Request) -> web.Response:
    conversation_id = find(request).conversation.id
    request.app[STATE].conversations.drop(conversation_id)
    return body.answer({"id": conversation_id, "object": "conversation.deleted", "deleted": True})
