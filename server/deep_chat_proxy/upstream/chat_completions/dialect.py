"""The Chat Completions dialect: makes turns for one model of one back end."""

from collections.abc import Mapping, Sequence

from deep_chat_proxy.turn.held import Held, HeldKind
from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.turn.ports import Thread
from deep_chat_proxy.upstream.chat_completions.options import ChatOptions
from deep_chat_proxy.upstream.chat_completions.server import ChatServer
from deep_chat_proxy.upstream.chat_completions.turn import ChatTurn
from deep_chat_proxy.upstream.client import ApiClient
from deep_chat_proxy.upstream.closing import gone
from deep_chat_proxy.upstream.files import Files
from deep_chat_proxy.upstream.titles import by_completion


class ChatDialect:
    """Implements `Dialect`. `functions` are the proxy's own tools as {name, description, parameters}."""

    name = "chat"

    def __init__(
        self, client: ApiClient, options: ChatOptions, functions: Sequence[Mapping[str, object]]
    ) -> None:
        self.files = Files(client)
        self._server = ChatServer(client, options, functions)

    async def prepare(self) -> None:
        """As in `Dialect`; there is nothing to be found out."""

    def turn(self, thread: Thread, message: UserMessage) -> ChatTurn:
        """As in `Dialect`."""
        return ChatTurn(self._server, thread, message)

    async def delete(self, held: Held) -> None:
        """As in `Dialect`. Nothing of this protocol's is held; files may be those of another one at the same server."""
        if held.kind is HeldKind.FILE:
            await gone(self.files.delete(held.held_id))

    async def title(self, model: str, text: str) -> str | None:
        """As in `Dialect`."""
        return await by_completion(self._server.client, model, text)
