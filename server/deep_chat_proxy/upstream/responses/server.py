"""One server that speaks Responses, as all turns share it."""

from collections.abc import Mapping, Sequence

from deep_chat_proxy.upstream.client import ApiClient
from deep_chat_proxy.upstream.files import Files
from deep_chat_proxy.upstream.responses.abilities import Abilities
from deep_chat_proxy.upstream.responses.api import ResponsesApi
from deep_chat_proxy.upstream.responses.options import ResponsesOptions
from deep_chat_proxy.upstream.responses.tools import tools


class ResponsesServer:
    """What is asked of it, how, and what it can do. `functions` are the proxy's own tools."""

    def __init__(
        self, client: ApiClient, options: ResponsesOptions, functions: Sequence[Mapping[str, object]]
    ) -> None:
        self.api = ResponsesApi(client)
        self.files = Files(client, "user_data")
        self.options = options
        self.abilities = Abilities(self.api, options.way)
        self._functions = functions

    def body(self, code_files: Sequence[str]) -> dict[str, object]:
        """What every request holds; nothing of it is carried over from one response to the next."""
        options = self.options
        body: dict[str, object] = {"model": options.model}
        if options.instructions is not None:
            body["instructions"] = options.instructions
        if found := tools(self._functions, options.hosted, code_files):
            body["tools"] = found
        if options.reasoning:
            body["reasoning"] = options.reasoning
        return body
