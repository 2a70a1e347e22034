"""What a visitor sent: one reader for both of Deep Chat's encodings.

Without files Deep Chat posts JSON, with files multipart form data, to the same URL. Pages can force or
drop the Content-Type, so the body itself decides which of the two it is.
"""

import sys
from pathlib import Path

from aiohttp import web
from msgspec import Struct

from deep_chat_proxy.browser.body import RequestBody
from deep_chat_proxy.browser.files_in.allowance import Allowance
from deep_chat_proxy.browser.files_in.data_urls import take_inline_file
from deep_chat_proxy.browser.files_in.uploads import Uploads, discard
from deep_chat_proxy.browser.limits import RequestLimits, in_megabytes
from deep_chat_proxy.browser.memory import BodyMemory, Share
from deep_chat_proxy.browser.messages import files_of, from_user, newest, nothing_in, text_of
from deep_chat_proxy.browser.multipart import LONGEST_FIRST_LINE, Form, find_boundary, read_form
from deep_chat_proxy.browser.thread_choice import ThreadChoice, session_ids, thread_in_form, thread_in_json
from deep_chat_proxy.browser.wire import WireBody, WireMessage, decoded, items
from deep_chat_proxy.errors import refused
from deep_chat_proxy.turn.message import Attachment


class ChatRequest(Struct, frozen=True):
    """One message of a visitor: text ("" where there is none), files, or both.

    The uploads lie on disk and belong to whoever holds the request: `discard` removes them. `stream` is True
    where the page asks for server-sent events.
    """

    text: str
    uploads: tuple[Attachment, ...]
    thread: ThreadChoice
    stream: bool

    async def discard(self) -> None:
        """Remove the uploads from disk; may be called again."""
        await discard(self.uploads)


async def read_chat_request(
    request: web.Request,
    limits: RequestLimits,
    folder: Path | None,
    *,
    memory: BodyMemory | None = None,
    allowance: Allowance | None = None,
) -> ChatRequest:
    """Read `request` to its end; files are kept in `folder`, None for the system's temporary one.

    `memory` is where it takes its share of what all requests may hold, `allowance` what its visitor may send today;
    without them, both are unlimited. Raises ChatError, with a sentence for the visitor: 400 for what cannot be read or
    holds no message of the user, 408 for what stops coming, 413 above a limit, 415 for a file of a kind that is not
    accepted, 503 where too much is being read. No file stays behind then, nor on cancellation.
    """
    if request.headers.get("Content-Encoding", "identity") != "identity":
        # Deep Chat compresses nothing; what unpacks to a thousand times its size does.
        raise refused(415, "Please send the message uncompressed.")
    memory = memory or BodyMemory(sys.maxsize)
    uploads = Uploads(limits, folder, allowance)
    try:
        with memory.share() as share:
            return await _read(request, limits, uploads, share)
    except BaseException:
        await uploads.discard()
        raise


async def _read(request: web.Request, limits: RequestLimits, uploads: Uploads, share: Share) -> ChatRequest:
    body = RequestBody(request, limits.max_pause)
    boundary = find_boundary(
        request.headers.get("Content-Type", ""), await body.beginning(LONGEST_FIRST_LINE)
    )
    if boundary is None:
        text, thread = await _from_json(body, limits, uploads, share)
    else:
        form = await read_form(body, boundary, limits, uploads, share)
        text, thread = await _from_form(form, limits, uploads)
    accepted = ",".join(request.headers.getall("Accept", [])).lower()
    return ChatRequest(text, uploads.attachments, thread, stream="text/event-stream" in accepted)


async def _from_json(
    body: RequestBody, limits: RequestLimits, uploads: Uploads, share: Share
) -> tuple[str, ThreadChoice]:
    most = in_megabytes(limits.max_body)
    body.limit(
        limits.max_body, refused(413, f"The conversation sent along is too large: at most {most} are taken.")
    )
    wire = decoded(await body.rest(share), WireBody)
    if wire is None:
        raise refused(400, "The request could not be read: it is neither a JSON object nor form data.")
    thread_id = thread_in_json(wire.thread_id)
    messages = items(wire.messages) or []
    text = await _contents(newest(messages), limits, uploads)
    return text, ThreadChoice(thread_id, session_ids(messages))


async def _from_form(form: Form, limits: RequestLimits, uploads: Uploads) -> tuple[str, ThreadChoice]:
    """A form's text and thread.

    Deep Chat sends no message for files without text, so then the last one is an old one: the assistant's, or
    one of the user that still has `files` (a new one had them taken out). One case looks the same as text with
    files: files alone after a text that failed, with the whole history sent along. That text was
    never answered, so it is taken as what the files are about.
    """
    thread_id = thread_in_form(form.thread_id)
    messages = form.in_order()
    files_alone = bool(uploads.attachments) and (not messages or _is_old(newest(messages)))
    text = "" if files_alone else await _contents(newest(messages), limits, uploads)
    return text, ThreadChoice(thread_id, session_ids(messages))


def _is_old(message: WireMessage) -> bool:
    return bool(message.files) or not from_user(message)


async def _contents(message: WireMessage, limits: RequestLimits, uploads: Uploads) -> str:
    """The text of the visitor's new message; files within it go to `uploads`."""
    if not from_user(message):
        raise refused(400, "The last message of the request is not from the user.")
    text = text_of(message, limits)
    for file in files_of(message):
        await take_inline_file(file, uploads)
    if not text and not uploads.attachments:
        raise nothing_in(message)
    return text
