"""Which thread a request says it belongs to.

Pages carry the id in `thread_id`, put there by an interceptor: a JSON string in a JSON body, but
`JSON.stringify(id)` in form data. An unguarded interceptor sends what it has before the first answer: `null`, or
the word `undefined`. `_sessionId` comes back by itself in earlier messages.
"""

from collections.abc import Sequence

from msgspec import Raw, Struct

from deep_chat_proxy.browser.wire import WireMessage, decoded, is_null
from deep_chat_proxy.errors import ChatError, refused

_NO_THREAD = frozenset({"", "undefined", "null"})
_LONGEST_ID = 256
_MOST_SESSION_IDS = 8


class ThreadChoice(Struct, frozen=True):
    """`thread_id` was asked for by name; `session_ids` (newest first) are no more than hints where it is None.

    Both come from outside: neither says that the thread exists or is the visitor's.
    """

    thread_id: str | None = None
    session_ids: tuple[str, ...] = ()


def thread_in_json(value: Raw) -> str | None:
    """The id in a JSON body's `thread_id`. Raises ChatError (400) for what is not a string."""
    if is_null(value):
        return None
    thread_id = decoded(value, str) if len(value) <= _LONGEST_ID else None
    if thread_id is None:
        raise _no_id()
    return _unquoted(thread_id)


def thread_in_form(value: bytes) -> str | None:
    """The id in a form field, with or without JSON's quotes. Raises ChatError (400) for other JSON and non-text."""
    try:
        text = value.decode() if len(value) <= _LONGEST_ID else None
    except UnicodeDecodeError:
        text = None
    # A number is taken as text: an id may consist of digits.
    if text is None or text.lstrip().startswith(("{", "[")):
        raise _no_id()
    return _unquoted(text)


def session_ids(messages: Sequence[bytes | Raw]) -> tuple[str, ...]:
    """The distinct `_sessionId`s in these messages (oldest first), newest first, at most eight."""
    found: dict[str, None] = {}
    for raw in reversed(messages):
        message = decoded(raw, WireMessage)
        if message is None or not 0 < len(message.session_id) <= _LONGEST_ID:
            continue
        if (session_id := decoded(message.session_id, str)) and session_id not in _NO_THREAD:
            found[session_id] = None
        if len(found) == _MOST_SESSION_IDS:
            break
    return tuple(found)


def _unquoted(text: str) -> str | None:
    if text.startswith('"'):
        unquoted = decoded(text.encode(), str)
        text = text if unquoted is None else unquoted
    return None if text.strip() in _NO_THREAD else text


def _no_id() -> ChatError:
    return refused(400, "The request names no valid conversation. Please start a new one.")
