"""Everything that can be set on the local OpenAI."""

from msgspec import Struct

MIB = 1024 * 1024
LIFETIMES = frozenset({"run_ttl", "resume_ttl", "container_ttl"})


class LocalOptions(Struct, frozen=True, kw_only=True):
    """All of it has a default. Raises ValueError, naming the field, where a value is out of its range."""

    token_delay: float = 0.02
    """Seconds between two pieces of an answer, 0-10; 0 still lets others run in between."""
    run_ttl: float = 600
    """Seconds until a run that has not ended expires, and a response or completion fails, above 0."""
    poll_after_ms: int = 500
    """Milliseconds, 1 or more: the `openai-poll-after-ms` hint on runs that are still going on."""
    max_threads: int = 1_000
    """Threads kept, and as many conversations, responses and completions, 1 or more; the oldest goes first."""
    max_messages: int = 2_000
    """Messages of one thread and items of one conversation, 1 or more; above it the API refuses.
    Of ended runs, as many are kept."""
    max_thread_bytes: int = 64 * MIB
    """Bytes of the requests that all kept threads have taken in, 1 or more; the oldest thread goes first.
    As many for conversations, for responses and for completions."""
    max_assistants: int = 100
    """Assistants kept besides the ready one, 1 or more; the oldest goes first."""
    max_files: int = 1_000
    """Files kept, 1 or more; the oldest goes first."""
    max_file_bytes: int = 256 * MIB
    """Bytes of all files kept together, 1 or more; the oldest goes first."""
    max_upload: int = 32 * MIB
    """Bytes of one uploaded file, 1 or more; above it the API answers 413."""
    max_body: int = 48 * MIB
    """Bytes of a JSON body, 1 or more; above it the API answers 413."""
    max_requests_seen: int = 10_000
    """Requests remembered in `state.requests`, 1 or more."""
    resume_ttl: float = 300
    """Seconds after its start in which the stream of a background response can be had again, above 0."""
    container_ttl: float = 1_200
    """Seconds of rest after which a container ends, above 0."""
    assistants: bool = True
    """Whether Assistants v2 is spoken; what is not answers 404."""
    responses: bool = True
    """Whether Responses is spoken, with Conversations and containers."""
    chat: bool = True
    """Whether Chat Completions is spoken."""
    conversations: bool = True
    """Whether there are conversations; most servers that speak Responses have none."""
    stored_responses: bool = True
    """Whether responses are kept; if not, there is no `previous_response_id` and no background mode."""
    event_names: bool = True
    """Whether the events of a response have an `event:` line."""
    sequence_numbers: bool = True
    """Whether the events of a response are numbered."""

    def __post_init__(self) -> None:
        if not 0 <= self.token_delay <= 10:
            raise ValueError("token_delay must be 0-10 seconds")
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if name in LIFETIMES and not value > 0:
                raise ValueError(f"{name} must be above 0 seconds")
            if name not in {*LIFETIMES, "token_delay"} and not isinstance(value, bool) and value < 1:
                raise ValueError(f"{name} must be 1 or more")


DEFAULTS = LocalOptions()
