"""Assistants: create, list, retrieve, modify, delete."""

import time

from aiohttp import web

from deep_chat_proxy.local_openai import body, paging
from deep_chat_proxy.local_openai.assistants.finding import find_assistant
from deep_chat_proxy.local_openai.assistants.objects import Assistant
from deep_chat_proxy.local_openai.assistants.requests import CreateAssistant, ModifyAssistant
from deep_chat_proxy.local_openai.ids import new_id
from deep_chat_proxy.local_openai.state import STATE


async def create(request: web.Request) -> web.Response:
    asked = await body.read(request, CreateAssistant)
    assistant = Assistant(id=new_id("asst_"), created_at=int(time.time()), model=asked.model)
    _apply(asked, assistant)
    request.app[STATE].add_assistant(assistant)
    return body.answer(assistant)


def _apply(asked: ModifyAssistant, assistant: Assistant) -> None:
    """What was not sent stays as it is."""
    for name in asked.__struct_fields__:
        if (value := getattr(asked, name)) is not None:
            setattr(assistant, name, value)


async def list_assistants(request: web.Request) -> web.Response:
    assistants = list(request.app[STATE].assistants.values())
    chosen, has_more = paging.page(
        assistants, paging.query(request), what="assistant", id_of=lambda assistant: assistant.id
    )
    return body.answer(paging.list_object(chosen, [one.id for one in chosen], has_more=has_more))


async def retrieve(request: web.Request) -> web.Response:
    return body.answer(find_assistant(request.app[STATE], request.match_info["assistant_id"]))


async def modify(request: web.Request) -> web.Response:
    assistant = find_assistant(request.app[STATE], request.match_info["assistant_id"])
    _apply(await body.read(request, ModifyAssistant), assistant)
    return body.answer(assistant)


async def delete(request: web.Request) -> web.Response:
    state = request.app[STATE]
    assistant = find_assistant(state, request.match_info["assistant_id"])
    del state.assistants[assistant.id]
    return body.answer({"id": assistant.id, "object": "assistant.deleted", "deleted": True})
