"""A PNG writer for one kind of picture: a bar chart in two colours."""

import struct
import zlib

WIDTH, HEIGHT, MARGIN = 320, 200, 20
PAPER, INK = 0, 1
PALETTE = bytes((255, 255, 255, 66, 110, 180))
"""Red, green and blue of `PAPER` and `INK`."""


def bar_chart(values: list[int]) -> bytes:
    """A PNG of `WIDTH` x `HEIGHT` pixels with one bar for each value, scaled to the highest."""
    highest = max(values)
    slot = (WIDTH - 2 * MARGIN) // len(values)
    heights = [value * (HEIGHT - 2 * MARGIN) // highest for value in values]
    return encode([_line(HEIGHT - MARGIN - y, slot, heights) for y in range(HEIGHT)])


def _line(above_ground: int, slot: int, heights: list[int]) -> bytes:
    pixels = bytearray(WIDTH)
    for index, height in enumerate(heights):
        if 0 < above_ground <= height:
            left = MARGIN + index * slot
            pixels[left : left + slot * 3 // 4] = bytes([INK]) * (slot * 3 // 4)
    return bytes(pixels)


def encode(lines: list[bytes]) -> bytes:
    """The PNG file of a picture given as one byte a pixel, each an index into `PALETTE` (RFC 2083)."""
    header = struct.pack(">IIBBBBB", len(lines[0]), len(lines), 8, 3, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + line for line in lines))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", PALETTE),
            _chunk(b"IDAT", pixels),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
