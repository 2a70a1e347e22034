"""Text files that stand in a message itself, as clients send them to servers that have no place for files."""

import re

from deep_chat_proxy.local_openai.brain.conversation import Attachment, Said, Use

_HEADING = re.compile(r"(?:\A|\n+)Attached file “([^”\n]{1,200})”:\n\n")


def with_documents(said: Said) -> Said:
    """The message with such files out of its text and among its files."""
    text, *found = _HEADING.split(said.text)
    if not found:
        return said
    files = tuple(
        Attachment("", name, content.encode(), Use.SEARCH)
        for name, content in zip(found[::2], found[1::2], strict=True)
    )
    return Said(by_user=said.by_user, text=text, files=said.files + files)
