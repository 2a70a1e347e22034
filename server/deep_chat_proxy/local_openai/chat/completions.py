"""Completions: create."""

from aiohttp import web

from deep_chat_proxy.local_openai import body
from deep_chat_proxy.local_openai.asking import first_script
from deep_chat_proxy.local_openai.brain.actions import Hang
from deep_chat_proxy.local_openai.chat.kept import ChatKept
from deep_chat_proxy.local_openai.chat.life import CompletionLife
from deep_chat_proxy.local_openai.chat.requests import CreateCompletion
from deep_chat_proxy.local_openai.chat.scene import check, conversation
from deep_chat_proxy.local_openai.event_stream import cut, send
from deep_chat_proxy.local_openai.state import STATE

DONE = b"data: [DONE]\n\n"


async def create(request: web.Request) -> web.StreamResponse:
    asked = await body.read(request, CreateCompletion)
    state = request.app[STATE]
    check(state, asked)
    known = conversation(state, asked)
    script = first_script(state, "", known)
    kept = ChatKept(asked)
    kept.silent = any(isinstance(action, Hang) and action.silent for action in script)
    state.chats.put(kept.id, kept, len(await request.read()))
    task = state.start(kept.id, CompletionLife(state.options, kept, known, script).live())
    # Where it is cancelled before its end, also before its first step.
    task.add_done_callback(lambda _task: kept.break_off())
    try:
        return await _answer(request, kept)
    finally:
        # The client has got all of it, or is gone.
        task.cancel()


async def _answer(request: web.Request, kept: ChatKept) -> web.StreamResponse:
    if kept.asked.stream:
        return await send(request, kept.listener, done=DONE)
    await kept.ended.wait()
    if kept.failure is not None:
        raise kept.failure
    if kept.cut:
        cut(request)
    return body.answer(kept.whole())
