"""One server that speaks Chat Completions, as all turns share it."""

import logging
from collections.abc import Mapping, Sequence

from deep_chat_proxy.upstream.chat_completions.options import ChatOptions
from deep_chat_proxy.upstream.client import ApiClient, Call, path
from deep_chat_proxy.upstream.failures import UpstreamError

logger = logging.getLogger("deep_chat_proxy.upstream")


class ChatServer:
    """What is asked of it, and how. `functions` are the proxy's own tools."""

    def __init__(
        self, client: ApiClient, options: ChatOptions, functions: Sequence[Mapping[str, object]]
    ) -> None:
        self.client = client
        self.options = options
        self._functions = functions
        self._counts = True

    def completion(self, messages: Sequence[Mapping[str, object]]) -> Call:
        """The call that answers these messages."""
        options = self.options
        body: dict[str, object] = {
            "model": options.model,
            "messages": messages,
            "stream": options.stream,
        }
        if self._functions:
            body["tools"] = [{"type": "function", "function": dict(each)} for each in self._functions]
        if options.reasoning_effort:
            body["reasoning_effort"] = options.reasoning_effort
        if options.stream and self._counts:
            body["stream_options"] = {"include_usage": True}
        return Call("POST", path("chat", "completions"), json=body, stream=options.stream, patient=True)

    def stop_counting(self, fault: UpstreamError) -> bool:
        """Leave out what asks for the usage, where it is that which a server refuses; returns whether it is."""
        if not self._counts or fault.status not in {400, 422} or "stream_options" not in fault.message:
            return False
        logger.info("the back end does not tell the usage of streams")
        self._counts = False
        return True
