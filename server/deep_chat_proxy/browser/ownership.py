"""Whether a visitor may touch a thread or a file: the one place that decides it.

Not theirs, made up, an id of the back end: all are the same 404 with the same sentence.
"""

import secrets

from deep_chat_proxy.browser.thread_choice import ThreadChoice
from deep_chat_proxy.errors import FILE_NOT_FOUND, THREAD_NOT_FOUND, ChatError
from deep_chat_proxy.middleware.session import Session
from deep_chat_proxy.store.records import FileRecord, Store, ThreadRecord


async def own_thread(store: Store, session: Session, thread_id: str) -> ThreadRecord:
    """The visitor's thread of that id. Raises ChatError."""
    thread = await store.thread(thread_id)
    if thread is None or not secrets.compare_digest(thread.visitor, session.visitor):
        raise ChatError(THREAD_NOT_FOUND)
    return thread


async def own_file(store: Store, session: Session, file_id: str) -> FileRecord:
    """The visitor's file of that id. Raises ChatError."""
    file = await store.file(file_id)
    if file is None or not secrets.compare_digest(file.visitor, session.visitor):
        raise ChatError(FILE_NOT_FOUND)
    return file


async def new_thread(store: Store, session: Session) -> ThreadRecord:
    """A new thread of the visitor, their current one from now on."""
    thread = ThreadRecord(secrets.token_urlsafe(16), session.visitor)
    await store.add_thread(thread)
    session.thread_id = thread.thread_id
    return thread


async def choose_thread(store: Store, session: Session, choice: ThreadChoice) -> ThreadRecord:
    """The thread of a message: the one it names, else one it hints at, else the current one, else a new one.

    Raises ChatError for a thread that is named and not the visitor's; hints that lead nowhere are passed over,
    since a browser may keep old messages for years.
    """
    if choice.thread_id is not None:
        thread = await own_thread(store, session, choice.thread_id)
    else:
        hints = [*choice.session_ids, *([session.thread_id] if session.thread_id is not None else [])]
        found = await _first_own(store, session, hints)
        thread = found or await new_thread(store, session)
    session.thread_id = thread.thread_id
    return thread


async def _first_own(store: Store, session: Session, thread_ids: list[str]) -> ThreadRecord | None:
    for thread_id in thread_ids:
        try:
            return await own_thread(store, session, thread_id)
        except ChatError:
            continue
    return None
