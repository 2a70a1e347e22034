"""The start of a run, in a thread that is there or in one that comes with it."""

import math
import time
from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web

from deep_chat_proxy.local_openai import body
from deep_chat_proxy.local_openai.asking import first_script
from deep_chat_proxy.local_openai.assistants.finding import find_assistant, find_thread
from deep_chat_proxy.local_openai.assistants.kept import RunKept, ThreadKept
from deep_chat_proxy.local_openai.assistants.messages import new_messages
from deep_chat_proxy.local_openai.assistants.objects import Message, Run
from deep_chat_proxy.local_openai.assistants.requests import (
    CreateRun,
    CreateThread,
    CreateThreadAndRun,
    RunSettings,
)
from deep_chat_proxy.local_openai.assistants.run_life import RunLife
from deep_chat_proxy.local_openai.assistants.runs import run_answer
from deep_chat_proxy.local_openai.assistants.scene import conversation
from deep_chat_proxy.local_openai.assistants.stage import Stage
from deep_chat_proxy.local_openai.assistants.steps import wants_search_content
from deep_chat_proxy.local_openai.assistants.stream import stream_run
from deep_chat_proxy.local_openai.assistants.threads import new_thread
from deep_chat_proxy.local_openai.brain.actions import Action, Hang
from deep_chat_proxy.local_openai.errors import run_on_active_run
from deep_chat_proxy.local_openai.ids import new_id
from deep_chat_proxy.local_openai.state import STATE, LocalState

SAME_NAME = (
    "temperature",
    "top_p",
    "max_prompt_tokens",
    "max_completion_tokens",
    "metadata",
    "reasoning_effort",
)
"""Settings that go into the run as they are."""


async def create_run(request: web.Request) -> web.StreamResponse:
    asked = await body.read(request, CreateRun)
    state = request.app[STATE]
    thread = find_thread(request)
    run = _new_run(state, thread, asked)
    if active := thread.active_run():
        raise run_on_active_run(thread.thread.id, active.run.id)
    if asked.additional_instructions:
        run.instructions = f"{run.instructions} {asked.additional_instructions}".strip()
    added = new_messages(state, thread, asked.additional_messages or [])
    kept = _keep(request, run)
    script = _script(state, thread.thread.id, [*thread.messages.values(), *added], kept)
    state.grow(thread, len(await request.read()))
    thread.add_messages(added)
    return await _go(request, thread, kept, script, streamed=bool(asked.stream))


async def create_thread_and_run(request: web.Request) -> web.StreamResponse:
    asked = await body.read(request, CreateThreadAndRun)
    state = request.app[STATE]
    thread = new_thread(state, asked.thread or CreateThread())
    thread.thread.tool_resources |= asked.tool_resources or {}
    kept = _keep(request, _new_run(state, thread, asked))
    # The thread of a refused request is not kept, so the next try comes with another one.
    script = _script(state, "", thread.messages.values(), kept)
    state.grow(thread, len(await request.read()))
    state.add_thread(thread)
    return await _go(request, thread, kept, script, streamed=bool(asked.stream), thread_is_new=True)


def _new_run(state: LocalState, thread: ThreadKept, asked: RunSettings) -> Run:
    """What the request does not say, the assistant says. Raises ApiError (404) for an unknown assistant."""
    assistant = find_assistant(state, asked.assistant_id)
    now = int(time.time())
    run = Run(
        id=new_id("run_"),
        created_at=now,
        expires_at=now + math.ceil(state.options.run_ttl),
        assistant_id=assistant.id,
        thread_id=thread.thread.id,
        model=asked.model or assistant.model,
        instructions=(assistant.instructions or "") if asked.instructions is None else asked.instructions,
        tools=assistant.tools if asked.tools is None else asked.tools,
        temperature=assistant.temperature,
        top_p=assistant.top_p,
        truncation_strategy=_plain(asked.truncation_strategy) or {"type": "auto", "last_messages": None},
        response_format=asked.response_format or assistant.response_format,
        tool_choice=_plain(asked.tool_choice) or "auto",
        parallel_tool_calls=asked.parallel_tool_calls is not False,
    )
    for name in SAME_NAME:
        if (value := getattr(asked, name)) is not None:
            setattr(run, name, value)
    return run


def _plain(setting: Any) -> Any:
    """A setting without the fields that were not sent."""
    plain = msgspec.to_builtins(setting)
    if isinstance(plain, dict):
        return {name: value for name, value in plain.items() if value is not None or name == "last_messages"}
    return plain


def _keep(request: web.Request, run: Run) -> RunKept:
    lifetime = request.app[STATE].options.run_ttl
    return RunKept(run, lifetime=lifetime, with_search_content=wants_search_content(request))


def _script(
    state: LocalState, thread_id: str, messages: Iterable[Message], kept: RunKept
) -> tuple[Action, ...]:
    return first_script(state, thread_id, conversation(messages, kept, state.files))


async def _go(
    request: web.Request,
    thread: ThreadKept,
    kept: RunKept,
    script: tuple[Action, ...],
    *,
    streamed: bool,
    thread_is_new: bool = False,
) -> web.StreamResponse:
    """Lets the run live, and answers with its stream or with what it is now."""
    state = request.app[STATE]
    kept.silent = any(isinstance(action, Hang) and action.silent for action in script)
    thread.add_run(kept, most=state.options.max_messages)
    listener = kept.listen() if streamed else None
    if thread_is_new:
        kept.emit("thread.created", thread.thread)
    kept.task = state.start(kept.run.id, RunLife(Stage(state, thread, kept), script).live())
    return await stream_run(request, kept, listener) if listener else run_answer(request, kept.run)
