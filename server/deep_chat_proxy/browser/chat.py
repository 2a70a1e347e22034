"""A message of a visitor: read, put on its thread, answered as a stream or as one object."""

import asyncio

from aiohttp import web
from msgspec import Raw, Struct

from deep_chat_proxy.browser.addresses import file_addresses
from deep_chat_proxy.browser.body import RequestBody
from deep_chat_proxy.browser.files_in.allowance import Allowance, counting
from deep_chat_proxy.browser.frames import FrameWriter
from deep_chat_proxy.browser.json_answer import json_answer
from deep_chat_proxy.browser.keys import CHAT, Chat
from deep_chat_proxy.browser.ownership import choose_thread, thread_meant
from deep_chat_proxy.browser.reply import reply
from deep_chat_proxy.browser.request import ChatRequest, read_chat_request
from deep_chat_proxy.browser.thread_choice import thread_in_json
from deep_chat_proxy.browser.wire import decoded
from deep_chat_proxy.errors import ChatError, refused
from deep_chat_proxy.middleware.session import SESSION, Session
from deep_chat_proxy.store.records import ThreadRecord
from deep_chat_proxy.turn.events import Failed
from deep_chat_proxy.turn.live import LiveTurn
from deep_chat_proxy.turn.log import TurnLog
from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.turn.turns import FollowedTurn, attached

# Bytes of a request that has nothing to say but a thread.
_MOST_STOP = 4096


class StopBody(Struct, frozen=True):
    """What a stop may say; nothing has to be said."""

    thread_id: Raw = Raw()


async def post_message(request: web.Request) -> web.StreamResponse:
    """POST /api/chat: a Deep Chat request; `Accept: text/event-stream` asks for a stream."""
    chat = request.app[CHAT]
    allowance = Allowance(chat.allowances, request[SESSION].visitor)
    message = await read_chat_request(
        request, chat.limits, chat.spool, memory=chat.memory, allowance=allowance
    )
    # A visitor who leaves now has sent the message all the same.
    thread, turn = await chat.tasks.see_through(
        _taken(chat, request[SESSION], message), name="take a message"
    )
    addresses = file_addresses(request)
    with attached(turn) as log:
        if not message.stream:
            return await reply(log, thread.thread_id, turn.turn_id, addresses)
        await _begun(log, chat.accept_within)
        writer = FrameWriter(thread.thread_id, turn.turn_id, turn.log_id, addresses)
        return await chat.delivery.deliver(request, log, writer)


async def _taken(chat: Chat, session: Session, message: ChatRequest) -> tuple[ThreadRecord, FollowedTurn]:
    """The thread of a message, and the turn that answers it; the uploads are the turn's if it is a new one."""
    said = UserMessage(message.text, message.uploads)
    turn: FollowedTurn | None = None
    try:
        thread, new = await choose_thread(chat.store, session, message.thread)
        async with counting(chat.allowances, thread.visitor, said) as count:
            turn = await chat.turns.take(thread.thread_id, thread.visitor, said, first=new)
            if _is_new(turn, said):
                count.keep()
    finally:
        if not _is_new(turn, said):
            await message.discard()
    return thread, turn


def _is_new(turn: FollowedTurn | None, said: UserMessage) -> bool:
    """Whether the turn was begun for this message, rather than for the same one when it was sent before."""
    return isinstance(turn, LiveTurn) and turn.message is said


async def _begun(log: TurnLog, within: float) -> None:
    """Wait until the back end took the message; raises ChatError where it did not, while a status can say so."""
    try:
        async with asyncio.timeout(within):
            await log.begun()
    except TimeoutError:
        return
    if not log.accepted and isinstance(log.end, Failed):
        raise ChatError(log.end.problem, retry_after=log.end.retry_after)


async def stop_turn(request: web.Request) -> web.Response:
    """POST /api/chat/stop: stops the active turn of the thread that `thread_id` names, or of the current one."""
    chat, session = request.app[CHAT], request[SESSION]
    body = RequestBody(request, chat.limits.max_pause)
    body.limit(_MOST_STOP, refused(413, "The request is too large."))
    wire = decoded(await body.rest(), StopBody)
    named = thread_in_json(wire.thread_id) if wire is not None else None
    thread = await thread_meant(chat.store, session, named)
    if thread is None:
        return json_answer({"stopped": False})
    stopped = await chat.turns.stop(thread.thread_id)
    return json_answer({"stopped": stopped, "thread_id": thread.thread_id})
