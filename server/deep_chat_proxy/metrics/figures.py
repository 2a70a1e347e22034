"""What is counted, and under which names."""

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from deep_chat_proxy.turn.observer import TurnOutcome

_NAMESPACE = "deep_chat"
# Upper bounds in seconds: of the first text, and of a whole turn.
_FIRST_TEXT = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120)
_TURN = (0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 900)


class Figures:
    """Implements `Observer`, and counts requests. With PROMETHEUS_MULTIPROC_DIR set before this is loaded, processes
    count together in the files of that folder, which are opened here: make it before the loop runs.
    """

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        turns = Counter(
            "turns", "Turns that ended.", ("ended", "problem"), namespace=_NAMESPACE, registry=registry
        )
        self._turns = cache(turns.labels)
        self._under_way = Gauge(
            "turns_under_way",
            "Turns under way.",
            multiprocess_mode="livesum",
            namespace=_NAMESPACE,
            registry=registry,
        )
        self._first_text = Histogram(
            "first_text_seconds",
            "From the message to the first text.",
            buckets=_FIRST_TEXT,
            namespace=_NAMESPACE,
            registry=registry,
        )
        self._seconds = Histogram(
            "turn_seconds",
            "From the message to the end of its turn.",
            buckets=_TURN,
            namespace=_NAMESPACE,
            registry=registry,
        )
        tools = Counter(
            "tool_calls", "Calls of tools that ended.", ("ok",), namespace=_NAMESPACE, registry=registry
        )
        # What has labels is found by them under a lock, which costs more than to count.
        self._tools_done, self._tools_failed = tools.labels("yes"), tools.labels("no")
        tokens = Counter(
            "tokens",
            "Tokens as the back end counts them.",
            ("direction",),
            namespace=_NAMESPACE,
            registry=registry,
        )
        self._tokens_in, self._tokens_out = tokens.labels("in"), tokens.labels("out")
        self._files = Counter(
            "files_taken", "Files that came with messages.", namespace=_NAMESPACE, registry=registry
        )
        self._bytes = Counter(
            "file_bytes_taken", "Bytes of these files.", namespace=_NAMESPACE, registry=registry
        )
        requests = Counter(
            "requests",
            "Requests that were answered.",
            ("route", "status"),
            namespace=_NAMESPACE,
            registry=registry,
        )
        self._requests = cache(requests.labels)
        self._left = Counter(
            "connections_left",
            "Connections that left before their answer ended.",
            namespace=_NAMESPACE,
            registry=registry,
        )

    def turn_began(self, files: int, size: int) -> None:
        """As in `Observer`."""
        self._under_way.inc()
        if files:
            self._files.inc(files)
            self._bytes.inc(size)

    def turn_ended(self, outcome: TurnOutcome) -> None:
        """As in `Observer`."""
        self._under_way.dec()
        self._turns(outcome.ended, outcome.problem).inc()
        self._seconds.observe(outcome.seconds)
        if outcome.first_text is not None:
            self._first_text.observe(outcome.first_text)
        used = outcome.used
        if used.tools_done:
            self._tools_done.inc(used.tools_done)
        if used.tools_failed:
            self._tools_failed.inc(used.tools_failed)
        self._tokens_in.inc(used.input_tokens)
        self._tokens_out.inc(used.output_tokens)

    def answered(self, route: str, status: int) -> None:
        """A request was answered with that status; `route` is the pattern of its address."""
        self._requests(route, f"{status // 100}xx").inc()

    def connection_left(self) -> None:
        """A connection was closed before its answer ended."""
        self._left.inc()
