"""How much one Deep Chat request may hold."""

from msgspec import Struct

from deep_chat_proxy.browser.files_in.sniff import MEDIA_TYPES

MIB = 2**20


class RequestLimits(Struct, frozen=True, kw_only=True):
    """Sizes are bytes unless said otherwise; a request at a limit passes, one above it is refused."""

    max_body: int = 16 * MIB
    """A JSON body. Old messages hold images as base64, so text alone says little about it."""

    max_text: int = 256_000
    """Characters of the new message; OpenAI's own limit for one message."""

    max_files: int = 10

    max_file_bytes: int = 32 * MIB

    max_upload_bytes: int = 64 * MIB
    """All files of one request together."""

    max_parts: int = 200
    """Parts of a multipart body, files included."""

    max_field_bytes: int = 16 * MIB
    """Those parts of a multipart body that are not files, together."""

    max_pause: float = 30.0
    """Seconds that may pass between two pieces of a body."""

    accepted: frozenset[str] = MEDIA_TYPES
    """Media types, out of `sniff.MEDIA_TYPES`, that files may have."""

    @property
    def max_form(self) -> int:
        """A whole multipart body: files, fields, and what headers and boundaries may add to each part."""
        return self.max_upload_bytes + self.max_field_bytes + self.max_parts * PART_OVERHEAD


PART_HEADER_BYTES = 2048
"""One header line of a part; a file name of 255 characters of four bytes fits."""

PART_HEADERS = 8
"""Header lines of a part; RFC 7578 knows three, and some clients add a length and more."""

PART_OVERHEAD = PART_HEADERS * PART_HEADER_BYTES + 256


def in_megabytes(size: int) -> str:
    """`size` bytes in words for a person, such as "32 MB"."""
    if size < MIB:
        return f"{size:,} bytes"
    return f"{size / MIB:,.0f} MB" if size >= 100 * MIB else f"{size / MIB:.3g} MB"
