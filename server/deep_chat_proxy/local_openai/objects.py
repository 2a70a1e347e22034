"""Files, as they stand on the wire and as they are kept."""

from msgspec import Struct

OUTPUT = "assistants_output"
"""The purpose of files that an assistant made."""


class FileObject(Struct, kw_only=True):
    """A file without its bytes; times are Unix seconds."""

    id: str
    object: str = "file"
    bytes: int
    created_at: int
    expires_at: int | None = None
    filename: str
    purpose: str
    status: str = "processed"
    status_details: str | None = None


class KeptFile(Struct):
    """A file with its bytes."""

    file: FileObject
    data: bytes
