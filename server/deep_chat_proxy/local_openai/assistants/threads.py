"""Threads: create, retrieve, modify, delete."""

import time

from aiohttp import web

from deep_chat_proxy.local_openai import body
from deep_chat_proxy.local_openai.assistants.finding import find_thread
from deep_chat_proxy.local_openai.assistants.kept import ThreadKept
from deep_chat_proxy.local_openai.assistants.messages import new_messages
from deep_chat_proxy.local_openai.assistants.objects import Thread
from deep_chat_proxy.local_openai.assistants.requests import CreateThread, ModifyThread
from deep_chat_proxy.local_openai.ids import new_id
from deep_chat_proxy.local_openai.state import STATE, LocalState


def new_thread(state: LocalState, asked: CreateThread) -> ThreadKept:
    """A thread that is not yet kept. Raises ApiError (400, 404) for messages that cannot be taken."""
    thread = Thread(id=new_id("thread_"), created_at=int(time.time()))
    thread.metadata = asked.metadata or {}
    thread.tool_resources = asked.tool_resources or {}
    kept = ThreadKept(thread)
    kept.add_messages(new_messages(state, kept, asked.messages or []))
    return kept


async def create(request: web.Request) -> web.Response:
    state = request.app[STATE]
    kept = new_thread(state, await body.read(request, CreateThread))
    state.grow(kept, len(await request.read()))
    state.add_thread(kept)
    return body.answer(kept.thread)


async def retrieve(request: web.Request) -> web.Response:
    return body.answer(find_thread(request).thread)


async def modify(request: web.Request) -> web.Response:
    thread = find_thread(request).thread
    asked = await body.read(request, ModifyThread)
    if asked.metadata is not None:
        thread.metadata = asked.metadata
    if asked.tool_resources is not None:
        thread.tool_resources = asked.tool_resources
    return body.answer(thread)


async def delete(request: web.Request) -> web.Response:
    thread_id = find_thread(request).thread.id
    request.app[STATE].drop_thread(thread_id)
    return body.answer({"id": thread_id, "object": "thread.deleted", "deleted": True})
