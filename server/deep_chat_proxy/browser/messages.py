"""The visitor's new message among those that a request repeats."""

from collections.abc import Sequence

from msgspec import Raw

from deep_chat_proxy.browser.limits import RequestLimits
from deep_chat_proxy.browser.wire import WireFile, WireMessage, decoded, is_null, items
from deep_chat_proxy.errors import ChatError, refused


def newest(messages: Sequence[bytes | Raw]) -> WireMessage:
    """The last message. Raises ChatError (400) where there is none, or nothing that looks like one."""
    message = decoded(messages[-1], WireMessage) if messages else None
    if message is None:
        raise refused(400, "The request holds no message.")
    return message


def from_user(message: WireMessage) -> bool:
    """Whether the visitor wrote it. Roles are whatever the server once sent, so there are many others."""
    return decoded(message.role, str) == "user"


def text_of(message: WireMessage, limits: RequestLimits) -> str:
    """The text, "" where it is absent or blank; NUL and halves of surrogate pairs become U+FFFD.

    Raises ChatError: 400 for what is not text, 413 above `limits.max_text`.
    """
    if is_null(message.text):
        return ""
    text = decoded(message.text, str)
    if text is None:
        raise refused(400, "The message's text could not be read.")
    if len(text) > limits.max_text:
        raise refused(413, f"The message is too long: it can have at most {limits.max_text:,} characters.")
    # Not every back end can store NUL.
    return text.replace("\x00", "\ufffd") if text.strip() else ""


def files_of(message: WireMessage) -> list[WireFile]:
    """The files within the message itself; odd entries are left out."""
    entries = None if is_null(message.files) else items(message.files)
    return [file for entry in entries or () if (file := decoded(entry, WireFile)) is not None]


def nothing_in(message: WireMessage) -> ChatError:
    """The refusal of a message that has neither text nor a file."""
    if not is_null(message.html):
        return refused(400, "A message written as HTML cannot be sent. Please send it as text.")
    if not is_null(message.files):
        return refused(400, "The files of this message did not come with it. Please attach them again.")
    return refused(400, "The message is empty. Please write something or attach a file.")
