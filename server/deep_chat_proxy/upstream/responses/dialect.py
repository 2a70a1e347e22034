"""The Responses dialect: makes turns for one model of one back end."""

from collections.abc import Mapping, Sequence

from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.turn.ports import Thread
from deep_chat_proxy.upstream.client import ApiClient
from deep_chat_proxy.upstream.responses.options import ResponsesOptions
from deep_chat_proxy.upstream.responses.server import ResponsesServer
from deep_chat_proxy.upstream.responses.turn import ResponsesTurn


class ResponsesDialect:
    """Implements `Dialect`. `functions` are the proxy's own tools as {name, description, parameters}."""

    name = "responses"

    def __init__(
        self, client: ApiClient, options: ResponsesOptions, functions: Sequence[Mapping[str, object]]
    ) -> None:
        self._server = ResponsesServer(client, options, functions)
        self.files = self._server.files

    async def prepare(self) -> None:
        """As in `Dialect`."""
        await self._server.abilities.way()

    def turn(self, thread: Thread, message: UserMessage) -> ResponsesTurn:
        """As in `Dialect`."""
        return ResponsesTurn(self._server, thread, message)
