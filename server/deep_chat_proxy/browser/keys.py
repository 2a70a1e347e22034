"""What the handlers find in the app."""

from pathlib import Path

from aiohttp import web
from msgspec import Struct

from deep_chat_proxy.browser.limits import RequestLimits
from deep_chat_proxy.browser.memory import BodyMemory
from deep_chat_proxy.browser.stream import StreamDelivery
from deep_chat_proxy.store.allowances import Allowances
from deep_chat_proxy.store.leaving import Leaving
from deep_chat_proxy.store.records import Store, Threads
from deep_chat_proxy.store.shelf import Shelf
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.turns import LiveTurns
from deep_chat_proxy.upstream.files import Files


class Chat(Struct, frozen=True):
    """Everything that a request of the chat needs. `spool` is the folder for files that visitors send, None for the
    system's; `tasks` are for what must be seen through; `accept_within` is how many seconds a stream waits for the
    back end to take the message before it starts anyway, so that proxies in between see life.
    """

    store: Store
    threads: Threads
    leaving: Leaving
    shelf: Shelf
    files: Files
    turns: LiveTurns
    limits: RequestLimits
    memory: BodyMemory
    allowances: Allowances
    delivery: StreamDelivery
    spool: Path | None
    tasks: Tasks
    history_page: int = 20
    accept_within: float = 10.0


CHAT: web.AppKey[Chat] = web.AppKey("chat", Chat)
