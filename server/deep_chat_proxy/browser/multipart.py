"""A multipart body, part by part as it arrives: files to `Uploads`, what else matters to memory."""

import re

from msgspec import Struct
from multipart import (
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from deep_chat_proxy.browser.body import RequestBody
from deep_chat_proxy.browser.files_in.uploads import Uploads, too_much_at_once
from deep_chat_proxy.browser.limits import PART_HEADER_BYTES, PART_HEADERS, RequestLimits, in_megabytes
from deep_chat_proxy.browser.memory import Share
from deep_chat_proxy.errors import refused

# RFC 2046, 5.1.1: 1 to 70 characters, the last no space.
_BOUNDARY = r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]"
_DECLARED = re.compile(_BOUNDARY)
_FIRST_LINE = re.compile(rb"--(" + _BOUNDARY.encode() + rb")\r\n")
LONGEST_FIRST_LINE = len("--") + 70 + len("\r\n")

_MESSAGE = re.compile(r"message([0-9]{1,9})")


class Form(Struct):
    """The fields of a form that matter; `messages` by their number, as JSON."""

    messages: dict[int, bytes]
    thread_id: bytes = b""

    def in_order(self) -> list[bytes]:
        """The messages, oldest first, whatever order their parts came in."""
        return [self.messages[number] for number in sorted(self.messages)]


def find_boundary(content_type: str, beginning: bytes) -> str | None:
    """The boundary of a multipart body, None for a body that is no form.

    A page that forces its own Content-Type takes the boundary out of it, so then it is read off the first line.
    """
    declared, options = parse_options_header(content_type)
    if declared == "multipart/form-data" and _DECLARED.fullmatch(options.get("boundary", "")):
        return str(options["boundary"])
    first_line = _FIRST_LINE.match(beginning)
    return first_line[1].decode() if first_line else None


async def read_form(
    body: RequestBody, boundary: str, limits: RequestLimits, uploads: Uploads, share: Share
) -> Form:
    """The whole form; its files are in `uploads` afterwards. Every part with a file name is a file.

    Raises ChatError: 400 for a form that is damaged or incomplete, 413 above a limit, and what `Uploads` and `Share`
    raise.
    """
    body.limit(limits.max_form, too_much_at_once(limits))
    # Not strict: the strict parser refuses the line break after the last boundary when it arrives on its own.
    parser = PushMultipartParser(
        boundary,
        max_header_size=PART_HEADER_BYTES,
        max_header_count=PART_HEADERS,
        max_segment_count=limits.max_parts,
    )
    reader = _PartReader(limits, uploads, share)
    try:
        while chunk := await body.chunk():
            for event in parser.parse(chunk):
                await reader.take(event)
        parser.close()
    except ParserLimitReached as fault:
        raise refused(413, "The form has too many parts, or too large part headers.") from fault
    except MultipartError as fault:
        raise refused(400, "The message did not arrive as a complete form. Please send it again.") from fault
    return reader.form


class _PartReader:
    """Sorts the parser's events: a segment begins a part, bytes go on with it, None ends it."""

    def __init__(self, limits: RequestLimits, uploads: Uploads, share: Share) -> None:
        self.form = Form({})
        self._share = share
        self._limits = limits
        self._uploads = uploads
        self._field_bytes = 0
        self._is_file = False
        self._name = ""
        self._value = bytearray()

    async def take(self, event: MultipartSegment | bytes | None) -> None:
        if isinstance(event, MultipartSegment):
            await self._begin(event)
        elif event is None:
            await self._end()
        elif self._is_file:
            await self._uploads.write(event)
        else:
            self._add_to_field(event)

    async def _begin(self, segment: MultipartSegment) -> None:
        self._name = segment.name or ""
        self._is_file = segment.filename is not None
        if segment.filename is not None:
            await self._uploads.start(segment.filename)

    def _add_to_field(self, data: bytes) -> None:
        self._field_bytes += len(data)
        if self._field_bytes > self._limits.max_field_bytes:
            most = in_megabytes(self._limits.max_field_bytes)
            raise refused(413, f"The conversation sent along is too large: at most {most} are taken.")
        if self._name == "thread_id" or _MESSAGE.fullmatch(self._name):
            self._share.hold(len(data))
            self._value += data

    async def _end(self) -> None:
        if self._is_file:
            await self._uploads.finish()
            return
        value, self._value = bytes(self._value), bytearray()
        if number := _MESSAGE.fullmatch(self._name):
            self.form.messages[int(number[1])] = value
        elif self._name == "thread_id":
            # An interceptor appends behind the fields that Deep Chat writes, so the last one counts.
            self.form.thread_id = value
