"""Everything that can be set on the local OpenAI."""

from msgspec import Struct

MIB = 1024 * 1024


class LocalOptions(Struct, frozen=True, kw_only=True):
    """All of it has a default. Raises ValueError, naming the field, where a value is out of its range."""

    token_delay: float = 0.02
    """Seconds between two pieces of an answer, 0-10; 0 still lets others run in between."""
    run_ttl: float = 600
    """Seconds until a run that has not ended expires, above 0."""
    poll_after_ms: int = 500
    """Milliseconds, 1 or more: the `openai-poll-after-ms` hint on runs that are still going on."""
    max_threads: int = 1_000
    """Threads kept, 1 or more; the oldest goes first, and its runs with it."""
    max_messages: int = 2_000
    """Messages of one thread, 1 or more; above it the API refuses. Of ended runs, as many are kept."""
    max_thread_bytes: int = 64 * MIB
    """Bytes of the requests that all kept threads have taken in, 1 or more; the oldest thread goes first."""
    max_assistants: int = 100
    """Assistants kept besides the ready one, 1 or more; the oldest goes first."""
    max_files: int = 1_000
    """Files kept, 1 or more; the oldest goes first."""
    max_file_bytes: int = 256 * MIB
    """Bytes of all files kept together, 1 or more; the oldest goes first."""
    max_upload: int = 32 * MIB
    """Bytes of one uploaded file, 1 or more; above it the API answers 413."""
    max_body: int = 4 * MIB
    """Bytes of a JSON body, 1 or more; above it the API answers 413."""
    max_requests_seen: int = 10_000
    """Requests remembered in `state.requests`, 1 or more."""

    def __post_init__(self) -> None:
        if not 0 <= self.token_delay <= 10:
            raise ValueError("token_delay must be 0-10 seconds")
        if not self.run_ttl > 0:
            raise ValueError("run_ttl must be above 0 seconds")
        for name in self.__struct_fields__:
            if name not in {"token_delay", "run_ttl"} and getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more")


DEFAULTS = LocalOptions()
