"""A visitor's threads: listed, started, opened, named and deleted; and the end of all of them."""

from aiohttp import web
from msgspec import Raw, Struct

from deep_chat_proxy.browser.body import RequestBody
from deep_chat_proxy.browser.json_answer import json_answer
from deep_chat_proxy.browser.keys import CHAT, Chat
from deep_chat_proxy.browser.ownership import new_thread, own_thread
from deep_chat_proxy.browser.wire import decoded
from deep_chat_proxy.errors import refused
from deep_chat_proxy.middleware.session import SESSION
from deep_chat_proxy.store.records import ListedThread
from deep_chat_proxy.turn.exchange import LONGEST_TITLE
from deep_chat_proxy.turn.filenames import printable

# Of a list.
_PAGE = 50
# Bytes of a request that has nothing to say but a title.
_MOST = 4096


class TitleBody(Struct, frozen=True):
    """What a thread is to be called."""

    title: Raw = Raw()


async def list_threads(request: web.Request) -> web.Response:
    """GET /api/threads: the visitor's threads with a message in them, the one used last first; `page` counts from 0."""
    chat, session = request.app[CHAT], request[SESSION]
    page = page_of(request)
    found = await chat.threads.of_visitor(session.visitor, size=_PAGE + 1, skipped=page * _PAGE)
    # A turn whose answer was given may not be cleared away yet.
    shown = [
        _shown(
            thread,
            session.thread_id,
            answering=thread.answering and not chat.turns.has_answered(thread.thread_id),
        )
        for thread in found[:_PAGE]
    ]
    return json_answer({"threads": shown, "more": len(found) > _PAGE})


def _shown(thread: ListedThread, current: str | None, *, answering: bool) -> dict[str, object]:
    return {
        "thread_id": thread.thread_id,
        "title": thread.title,
        "used_at": thread.used_at,
        "current": thread.thread_id == current,
        "answering": answering,
    }


async def start_thread(request: web.Request) -> web.Response:
    """POST /api/threads: starts a new thread, the visitor's current one from now on."""
    thread = await new_thread(request.app[CHAT].store, request[SESSION])
    return json_answer({"thread_id": thread.thread_id}, status=201)


async def open_thread(request: web.Request) -> web.Response:
    """POST /api/threads/{thread_id}: the thread is the visitor's current one from now on."""
    session = request[SESSION]
    thread = await own_thread(request.app[CHAT].store, session, request.match_info["thread_id"])
    session.thread_id = thread.thread_id
    return json_answer({"thread_id": thread.thread_id})


async def name_thread(request: web.Request) -> web.Response:
    """PATCH /api/threads/{thread_id}: gives it the `title` of the body."""
    chat = request.app[CHAT]
    thread = await own_thread(chat.store, request[SESSION], request.match_info["thread_id"])
    title = await _title(request, chat)
    await chat.threads.name(thread.thread_id, title)
    return json_answer({"thread_id": thread.thread_id, "title": title})


async def _title(request: web.Request, chat: Chat) -> str:
    body = RequestBody(request, chat.limits.max_pause)
    body.limit(_MOST, refused(413, f"A title can have at most {LONGEST_TITLE} characters."))
    wire = decoded(await body.rest(), TitleBody)
    title = decoded(wire.title, str) if wire is not None and wire.title else None
    words = printable(title or "")
    if not 0 < len(words) <= LONGEST_TITLE:
        raise refused(400, f"A title must have 1 to {LONGEST_TITLE} characters.")
    return words


async def delete_thread(request: web.Request) -> web.Response:
    """DELETE /api/threads/{thread_id}: stops what goes on in it and deletes it with its files, at the back end too."""
    chat, session = request.app[CHAT], request[SESSION]
    thread = await own_thread(chat.store, session, request.match_info["thread_id"])
    await chat.tasks.see_through(_delete(chat, [thread.thread_id]), name="delete a thread")
    if session.thread_id == thread.thread_id:
        session.thread_id = None
    return json_answer({"deleted": True})


async def end_session(request: web.Request) -> web.Response:
    """DELETE /api/session: deletes all that is known of the visitor, and their cookie."""
    chat, session = request.app[CHAT], request[SESSION]
    if session.handle_lifetime is not None:
        raise refused(400, "There is no session without cookies. Please delete the conversation instead.")
    await chat.tasks.see_through(_forget(chat, session.visitor), name="end a session")
    session.end()
    return json_answer({"deleted": True})


async def _forget(chat: Chat, visitor: str) -> None:
    await _delete(chat, await chat.threads.ids(visitor))
    await chat.threads.forget(visitor)


async def _delete(chat: Chat, thread_ids: list[str]) -> None:
    for thread_id in thread_ids:
        await chat.turns.end(thread_id)
    await chat.threads.delete(*thread_ids)
    chat.leaving.hurry()


def page_of(request: web.Request) -> int:
    """The `page` that a request asks for, from 0. Raises ChatError (400)."""
    return number_of(request, "page") or 0


def number_of(request: web.Request, name: str) -> int | None:
    """A whole number of the query, None where it is not there. Raises ChatError (400)."""
    text = request.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise refused(400, f"The page cannot be shown: its {name} is no whole number.")
    return int(text)
