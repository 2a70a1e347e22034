"""The start of a response."""

import asyncio
import time
from typing import Any

from aiohttp import web

from deep_chat_proxy.local_openai import body
from deep_chat_proxy.local_openai.asking import first_script
from deep_chat_proxy.local_openai.brain.actions import Hang
from deep_chat_proxy.local_openai.errors import not_found
from deep_chat_proxy.local_openai.event_stream import cut, send
from deep_chat_proxy.local_openai.ids import new_id
from deep_chat_proxy.local_openai.responses import errors
from deep_chat_proxy.local_openai.responses.context import Place, check_answers, find_place
from deep_chat_proxy.local_openai.responses.kept import ResponseKept, event_writer
from deep_chat_proxy.local_openai.responses.life import ResponseLife
from deep_chat_proxy.local_openai.responses.new_items import new_items
from deep_chat_proxy.local_openai.responses.objects import Response
from deep_chat_proxy.local_openai.responses.requests import CreateResponse
from deep_chat_proxy.local_openai.responses.scene import conversation
from deep_chat_proxy.local_openai.responses.stage import Stage
from deep_chat_proxy.local_openai.responses.tools import AutoContainer, CodeTool, check_choice, check_tools
from deep_chat_proxy.local_openai.state import STATE, LocalState

SAME_NAME = (
    "instructions", "max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls",
    "previous_response_id", "prompt_cache_key", "reasoning", "safety_identifier", "temperature", "text",
    "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user",
)  # fmt: skip
"""Settings that go into the response as they are."""


async def create(request: web.Request) -> web.StreamResponse:
    asked = await body.read(request, CreateResponse)
    state = request.app[STATE]
    _check(state, asked)
    place = find_place(state, asked)
    added = new_items(state, asked.input)
    if len(place.items) + len(added) > state.options.max_messages:
        raise errors.full(state.options.max_messages, "items")
    kept = _keep(state, asked, (*place.items, *added))
    kept.new = added
    kept.size = place.size + len(await request.read())
    if kept.size > state.options.max_thread_bytes:
        raise errors.full(state.options.max_thread_bytes, "bytes")
    check_answers(kept.given)
    _start(state, asked, place, kept)
    return await _follow(request, kept, streamed=bool(asked.stream))


def _check(state: LocalState, asked: CreateResponse) -> None:
    """Raises ApiError (400, 404) for what cannot be done, whatever the place."""
    if asked.prompt is not None:
        raise not_found("prompt", asked.prompt.id)
    if asked.background and not state.options.stored_responses:
        raise errors.background_not_supported()
    if asked.background and asked.store is False:
        raise errors.background_needs_store()
    tools = asked.tools or []
    check_tools(tools)
    check_choice(asked.tool_choice or "auto", tools)
    for container in (tool.container for tool in tools if isinstance(tool, CodeTool)):
        if isinstance(container, str) and state.containers.get(container) is None:
            raise not_found("container", container)
        for file_id in container.file_ids if isinstance(container, AutoContainer) else ():
            if file_id not in state.files:
                raise not_found("file", file_id)


def _keep(state: LocalState, asked: CreateResponse, given: tuple[dict[str, Any], ...]) -> ResponseKept:
    background = bool(asked.background)
    response = Response(
        id=new_id("resp_"),
        created_at=int(time.time()),
        status="queued" if background else "in_progress",
        model=asked.model,
        background=background,
        store=asked.store is not False and state.options.stored_responses,
        # A default that is a list would be one for all.
        output=[],
    )
    for name in SAME_NAME:
        if (value := getattr(asked, name)) is not None:
            setattr(response, name, value)
    options = state.options
    kept = ResponseKept(
        response,
        given,
        include=frozenset(asked.include or ()),
        replayable=background and bool(asked.stream),
        frame=event_writer(names=options.event_names, numbers=options.sequence_numbers),
    )
    containers = (tool.container for tool in response.tools if isinstance(tool, CodeTool))
    kept.container_id = next((one for one in containers if isinstance(one, str)), None)
    return kept


def _start(state: LocalState, asked: CreateResponse, place: Place, kept: ResponseKept) -> None:
    """Raises ApiError where the brain wants the request to be refused."""
    known = conversation(state, kept.response, kept.given)
    script = first_script(state, place.id, known)
    kept.silent = any(isinstance(action, Hang) and action.silent for action in script)
    if place.conversation is not None:
        place.conversation.answering = kept
        kept.response.conversation = {"id": place.id}
    obfuscated = asked.stream_options is None or asked.stream_options.include_obfuscation
    life = ResponseLife(Stage(state, kept, obfuscated=obfuscated), place, known, script)
    state.response_began(kept)
    kept.task = state.start(kept.response.id, life.live())

    def over(_task: asyncio.Task[None]) -> None:
        # Also for a task that is cancelled before its first step, which no `finally` inside of it would see.
        kept.leave_unfinished()
        state.response_ended(kept)
        if place.conversation is not None:
            place.conversation.answering = None

    kept.task.add_done_callback(over)


async def _follow(request: web.Request, kept: ResponseKept, *, streamed: bool) -> web.StreamResponse:
    """The stream of a response, or what it has become; in the background: what it is now."""
    background = kept.response.background
    try:
        if streamed:
            return await send(request, kept.listen(), done=b"")
        if not background:
            await kept.ended.wait()
            if kept.cut:
                cut(request)
        return body.answer(kept.shown())
    finally:
        if not background and kept.task is not None:
            # Its client has got all of it, or is gone.
            kept.task.cancel()
