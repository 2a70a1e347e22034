"""Messages: create, list, retrieve, modify, delete."""

import time

import msgspec
from aiohttp import web

from deep_chat_proxy.local_openai import body, paging
from deep_chat_proxy.local_openai.assistants.finding import find_message, find_thread
from deep_chat_proxy.local_openai.assistants.kept import ThreadKept
from deep_chat_proxy.local_openai.assistants.objects import (
    ImageFilePart,
    ImageUrlPart,
    Message,
    MessageAttachment,
    Part,
    TextPart,
    TextValue,
)
from deep_chat_proxy.local_openai.assistants.requests import CreateMessage, ModifyMetadata, TextIn
from deep_chat_proxy.local_openai.errors import (
    ApiError,
    invalid_value,
    message_on_active_run,
    not_found,
    thread_full,
)
from deep_chat_proxy.local_openai.ids import new_id
from deep_chat_proxy.local_openai.state import STATE, LocalState


def new_messages(state: LocalState, thread: ThreadKept, asked: list[CreateMessage]) -> list[Message]:
    """Messages that are not yet in the thread. Raises ApiError: 400 for what cannot be taken, 404 for a file."""
    if len(thread.messages) + len(asked) > state.options.max_messages:
        raise thread_full(state.options.max_messages, "messages")
    messages = [_new_message(thread.thread.id, one) for one in asked]
    for message in messages:
        for file_id in _file_ids(message):
            if file_id not in state.files:
                raise not_found("file", file_id)
    return messages


def _new_message(thread_id: str, asked: CreateMessage) -> Message:
    return Message(
        id=new_id("msg_"),
        created_at=int(time.time()),
        thread_id=thread_id,
        role=asked.role,
        content=_parts(asked),
        attachments=msgspec.convert(msgspec.to_builtins(asked.attachments or []), list[MessageAttachment]),
        metadata=asked.metadata or {},
    )


def _parts(asked: CreateMessage) -> list[Part]:
    """Text is a string on its way in, and an object with annotations on its way out."""
    if isinstance(asked.content, str):
        if not asked.content:
            raise ApiError(400, "Message content must be non-empty.", param="content")
        return [TextPart(TextValue(asked.content))]
    parts: list[Part] = []
    for part in asked.content:
        if isinstance(part, TextIn):
            parts.append(TextPart(TextValue(part.text)))
        else:
            parts.append(msgspec.convert(msgspec.to_builtins(part), ImageFilePart | ImageUrlPart))
        if isinstance(parts[-1], ImageUrlPart) and not parts[-1].image_url.url.startswith(
            ("https://", "http://")
        ):
            raise invalid_value("content.image_url.url", "expected a valid URL.")
    return parts


def _file_ids(message: Message) -> list[str]:
    attached = [attachment.file_id for attachment in message.attachments]
    return attached + [part.image_file.file_id for part in message.content if isinstance(part, ImageFilePart)]


async def create(request: web.Request) -> web.Response:
    asked = await body.read(request, CreateMessage)
    thread = find_thread(request)
    if active := thread.active_run():
        raise message_on_active_run(thread.thread.id, active.run.id)
    state = request.app[STATE]
    messages = new_messages(state, thread, [asked])
    state.grow(thread, len(await request.read()))
    thread.add_messages(messages)
    return body.answer(messages[0])


async def list_messages(request: web.Request) -> web.Response:
    run_id = request.query.get("run_id")
    messages = [one for one in find_thread(request).messages.values() if not run_id or one.run_id == run_id]
    chosen, has_more = paging.page(
        messages, paging.query(request), what="message", id_of=lambda message: message.id
    )
    return body.answer(paging.list_object(chosen, [one.id for one in chosen], has_more=has_more))


async def retrieve(request: web.Request) -> web.Response:
    return body.answer(find_message(request))


async def modify(request: web.Request) -> web.Response:
    message = find_message(request)
    message.metadata = (await body.read(request, ModifyMetadata)).metadata or message.metadata
    return body.answer(message)


async def delete(request: web.Request) -> web.Response:
    message = find_message(request)
    del find_thread(request).messages[message.id]
    return body.answer({"id": message.id, "object": "thread.message.deleted", "deleted": True})
