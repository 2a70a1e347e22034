"""Whether a visitor may touch a thread or a file: the one place that decides it.

Not theirs, made up, too old, an id of the back end: all are the same 404 with the same sentence.
"""

import secrets
import time

from deep_chat_proxy.browser.thread_choice import ThreadChoice
from deep_chat_proxy.errors import FILE_NOT_FOUND, THREAD_NOT_FOUND, ChatError
from deep_chat_proxy.middleware.session import Session
from deep_chat_proxy.store.records import FileRecord, Store, ThreadRecord


def may_touch(session: Session, thread: ThreadRecord) -> bool:
    """With a cookie, a visitor may touch their own threads. Without, having named one is enough, but for one that was
    not used for too long.
    """
    if session.handle_lifetime is not None:
        return time.time() - thread.used_at < session.handle_lifetime
    return secrets.compare_digest(thread.visitor, session.visitor)


async def own_thread(store: Store, session: Session, thread_id: str) -> ThreadRecord:
    """The visitor's thread of that id. Raises ChatError."""
    thread = await store.thread(thread_id)
    if thread is None or not may_touch(session, thread):
        raise ChatError(THREAD_NOT_FOUND)
    return thread


async def thread_meant(store: Store, session: Session, named: str | None) -> ThreadRecord | None:
    """The thread that is `named`, or else the current one; None where there is none, or no longer. Raises ChatError for
    one that is named and not the visitor's.
    """
    if named is not None:
        return await own_thread(store, session, named)
    return None if session.thread_id is None else await _first_own(store, session, [session.thread_id])


async def own_file(store: Store, session: Session, file_id: str) -> FileRecord:
    """The visitor's file of that id, which is theirs by its thread. Raises ChatError."""
    file = await store.file(file_id)
    # A thread is looked for in any case: the time that it takes would tell which ids there are.
    thread = await store.thread(file_id if file is None else file.thread_id)
    if file is None or thread is None or not may_touch(session, thread):
        raise ChatError(FILE_NOT_FOUND)
    return file


async def new_thread(store: Store, session: Session) -> ThreadRecord:
    """A new thread of the visitor, their current one from now on."""
    thread = ThreadRecord(secrets.token_urlsafe(16), session.visitor, time.time())
    await store.add_thread(thread)
    session.thread_id = thread.thread_id
    return thread


async def choose_thread(store: Store, session: Session, choice: ThreadChoice) -> tuple[ThreadRecord, bool]:
    """The thread of a message: the one it names, else one it hints at, else the current one, else a new one; and whether
    it is new.

    Raises ChatError for a thread that is named and not the visitor's; hints that lead nowhere are passed over,
    since a browser may keep old messages for years.
    """
    if choice.thread_id is not None:
        found: ThreadRecord | None = await own_thread(store, session, choice.thread_id)
    else:
        hints = [*choice.session_ids, *([session.thread_id] if session.thread_id is not None else [])]
        found = await _first_own(store, session, hints)
    thread = found or await new_thread(store, session)
    session.thread_id = thread.thread_id
    return thread, found is None


async def _first_own(store: Store, session: Session, thread_ids: list[str]) -> ThreadRecord | None:
    for thread_id in thread_ids:
        try:
            return await own_thread(store, session, thread_id)
        except ChatError:
            continue
    return None
