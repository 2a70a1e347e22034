"""What is heard in a recording: what kind it is and how long, or the words that stand in it.

Nothing is decoded. A recording for a test can hold `say: ` and a sentence, in UTF-8 and up to the next control
character, anywhere among its bytes; that is then what is said in it.
"""

import re

from deep_chat_proxy.local_openai.brain import sniff

LOOKED_AT = 64 * 1024
"""Bytes in which the words are looked for."""
WORDS = re.compile(rb"say: ([^\x00-\x1f]{1,400})")


def heard(data: bytes) -> str | None:
    """What is said in a recording; None where `data` is none."""
    kind = sniff.sound(data)
    if kind is None:
        return None
    words = WORDS.search(data, 0, LOOKED_AT)
    if words is not None:
        return words[1].decode(errors="replace").strip()
    return f"This is a {kind} recording of {len(data)} bytes."
