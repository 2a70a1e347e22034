"""Targets of links to files of the visitor's own thread, which hold for every connection.

Where a page finds such a file depends on the page; so the text says which file it is, and whoever sends it to a page
puts the address in its place.
"""

from deep_chat_proxy.turn.events import ChatFile

OWN_FILE = "deep-chat-file:"
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._")


def own_target(file: ChatFile) -> str:
    """The target of a link to `file`: `deep-chat-file:{file_id}/{name}`, the name percent-encoded."""
    name = "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in file.name.encode())
    return f"{OWN_FILE}{file.file_id}/{name}"
