"""The beginnings of recordings, which is as much as anybody here looks at; `say: ` and some words may follow."""

WEBM = b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm\x42\x87\x81\x04 A_OPUS"
WAV = b"RIFF\x24\x08\x00\x00WAVEfmt \x10\x00\x00\x00"
MP3 = b"ID3\x03\x00\x00\x00\x00\x00\x00"


def saying(words: str, beginning: bytes = WEBM) -> bytes:
    """A recording in which something is said."""
    return beginning + b"\0say: " + words.encode() + b"\0" * 8
