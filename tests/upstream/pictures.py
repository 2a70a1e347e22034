"""Pictures to be sent."""

import zlib


def png(width: int, height: int) -> bytes:
    """A PNG of that many black pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    size = width.to_bytes(4) + height.to_bytes(4)
    pixels = zlib.compress((b"\0" + b"\0" * width) * height)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size + b"\x08\0\0\0\0")
        + chunk(b"IDAT", pixels)
        + chunk(b"IEND", b"")
    )
