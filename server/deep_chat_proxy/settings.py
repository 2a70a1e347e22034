"""Every setting, with its default, unit and range.

A field's name in capitals with `DEEP_CHAT_` before it is its environment variable, but for `OPENAI_API_KEY`
and `OPENAI_BASE_URL`, which are named as the official SDKs name them. `configuration.py` reads them.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from deep_chat_proxy.settings_rules import (
    check_back_end,
    check_calls,
    check_packages,
    check_visitors,
    check_workers,
)
from deep_chat_proxy.turn.limits import TurnLimits

# Bounded above too: an endless time would be refused only by what it is given to, in the middle of a turn.
Seconds = Annotated[float, Meta(ge=0, le=86_400)]
Positive = Annotated[float, Meta(gt=0, le=86_400)]
Count = Annotated[int, Meta(ge=1)]
Bytes = Annotated[int, Meta(ge=1)]

MIB = 1024 * 1024

# Settings that not every protocol has a use for.
_ONLY_FOR = {
    "thread_state": {"responses"},
    "hosted_tools": {"responses"},
    "vector_stores": {"responses"},
    "mcp_servers": {"responses"},
    "reasoning_summary": {"responses"},
    "upload_files": {"responses"},
    "history_tokens": {"responses", "chat"},
    "reasoning_effort": {"responses", "chat"},
    "title_model": {"responses", "chat"},
    "assistant_id": {"assistants"},
    "file_tool": {"assistants"},
}

OPENAI = "https://api.openai.com/v1"
OPENAI_MODEL = "gpt-6-luna"
"""What OpenAI names as the successor of its small models, and cheap enough for a page that anyone can use."""


class Settings(Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """What the server runs with. Times are in seconds, sizes in bytes unless said otherwise."""

    upstream: Literal["auto", "responses", "chat", "assistants", "local"] = "auto"
    """Which protocol is spoken to the back end: Responses, Chat Completions or Assistants; `local` is a back end of
    our own that needs no key. `auto` is `responses` where a key or an address is set, else `local`."""
    openai_api_key: str = ""
    """The back end's key."""
    openai_base_url: str = ""
    """Where the back end is; usually ends in /v1. OpenAI's own where it is not set."""
    api_key_header: Literal["authorization", "api-key"] = "authorization"
    """How the key is sent: as a bearer token, or in Azure's `api-key` header."""
    upstream_headers: dict[str, str] = {}
    """Headers for every call to the back end, as JSON."""
    upstream_query: dict[str, str] = {}
    """Query parameters for every call to the back end, as JSON, such as {"api-version": "v1"}."""
    model: str = ""
    """The model that answers; `gpt-6-luna` at OpenAI where it is not set. With Assistants it overrides the
    assistant's own."""
    instructions: str = ""
    """What the model is told before every conversation. With Assistants it overrides the assistant's own."""
    follow: Literal["auto", "stream", "poll"] = "auto"
    """How an answer is followed; `auto` streams, and asks for it where a stream is lost. `poll` asks for it from the
    beginning: with Responses it is made in the background, with Chat Completions waited for."""
    thread_state: Literal["auto", "conversation", "chain", "history"] = "auto"
    """Who keeps a thread (Responses): the back end in a conversation, the back end in a chain of responses, or the
    store here, from where it is sent with each message. `auto` asks the back end what it can do."""
    history_tokens: Annotated[int, Meta(ge=100, le=2_000_000)] = 32_000
    """Most of a conversation that is sent with a message where the store keeps it, in tokens of four bytes."""
    hosted_tools: tuple[Literal["web_search", "code_interpreter", "image_generation"], ...] = ()
    """The back end's own tools that the model may use (Responses), comma-separated: `web_search`,
    `code_interpreter`, `image_generation`."""
    vector_stores: tuple[str, ...] = ()
    """Ids of the vector stores that the model may search (Responses), comma-separated."""
    mcp_servers: dict[str, dict[str, Any]] = {}
    """MCP servers that the back end may use (Responses), as JSON by their labels:
    {"dice": {"server_url": "https://example.com/mcp"}}. What else an entry holds goes to the back end too."""
    reasoning_effort: str = ""
    """How much a reasoning model thinks, such as `low`; the model's own default where it is not set."""
    reasoning_summary: Literal["off", "auto", "concise", "detailed"] = "off"
    """Whether a reasoning model is asked to tell what it thinks about (Responses); what it tells is shown while it
    does."""
    upload_files: Literal["auto", "always", "never"] = "auto"
    """Whether attached files are stored at the back end (Responses); `auto` does so where it keeps conversations.
    Otherwise they are sent with the message."""
    assistant_id: str = ""
    """The assistant at the back end (Assistants)."""
    file_tool: Literal["auto", "file_search", "code_interpreter"] = "auto"
    """Which of the back end's tools reads attached files that are no images (Assistants); `auto` goes by type."""

    tools: str = ""
    """A Python file with `@tool` functions."""
    tool_timeout: Positive = 30.0
    """Longest a tool may take that sets no time of its own."""
    tool_output: Annotated[int, Meta(ge=100)] = 200_000
    """Longest output of a tool, in characters."""
    tool_rounds: Annotated[int, Meta(ge=1, le=100)] = 12
    """How often the model may ask for tools in one turn."""

    grace: Seconds = 15.0
    """How long a turn goes on after its last connection closed; 0 stops it at once."""
    heartbeat: Positive = 15.0
    """Time between heartbeats on a stream."""
    longest_frame: Annotated[float, Meta(ge=0, le=1)] = 0.1
    """How long words of an answer may gather before they are sent, once the first are out and while the server is busy;
    three times as long where it has no time left, and 0 sends them as they come."""
    pace: Annotated[int, Meta(ge=0)] = 300
    """Reading pace of an answer that comes whole, in characters a second; 0 shows it at once."""
    busy_wait: Seconds = 5.0
    """How long a message waits for the turn before it on the same thread."""
    resend: Seconds = 60.0
    """How long the same message on the same thread counts as one that was sent again, which follows the turn that is
    under way; later it is a new one."""
    readable: Seconds = 300.0
    """How long after its end a turn can still be followed by a page that was reloaded."""
    shutdown: Annotated[float, Meta(ge=1, le=86_400)] = 8.0
    """Longest the server takes to end when it is told to (SIGTERM); turns may come to their end in most of that."""
    turn_timeout: Positive = 900.0
    """Longest a turn may take."""
    connect_timeout: Positive = 10.0
    """Longest to connect to the back end."""
    answer_timeout: Positive = 60.0
    """Longest silence of the back end before or within one answer that is no stream."""
    first_event_timeout: Positive = 120.0
    """Longest until a stream of the back end begins."""
    silence_timeout: Positive = 120.0
    """Longest silence between two events of a stream of the back end, before the answer is asked for instead. After
    the longest of these silences streams have no heartbeats any more."""
    max_turns: Count = 1000
    """Turns under way at once, in each worker."""
    max_answer: Count = 1_000_000
    """Longest answer, in characters."""
    log_events: Annotated[int, Meta(ge=16)] = 2000
    """Events of a turn that are kept for connections that come later."""

    max_body: Bytes = 16 * MIB
    """Largest JSON request; old messages in it may hold images."""
    bodies_in_memory: Bytes = 256 * MIB
    """Most of requests that are being read that is held in memory at once, in each worker; at least one whole request."""
    max_text: Count = 256_000
    """Longest message, in characters."""
    max_files: Annotated[int, Meta(ge=0)] = 10
    """Most files on one message."""
    max_file_size: Bytes = 32 * MIB
    """Largest file."""
    max_upload: Bytes = 64 * MIB
    """Largest sum of the files of one message."""
    daily_files: Annotated[int, Meta(ge=0)] = 200
    """Most files that a visitor can send in a day."""
    daily_upload: Annotated[int, Meta(ge=0)] = 512 * MIB
    """Largest sum of the files that a visitor sends in a day."""
    file_kinds: tuple[Literal["images", "audio", "video", "pdf", "office", "text", "zip"], ...] = (
        "images",
        "audio",
        "pdf",
        "office",
        "text",
        "zip",
    )
    """What kinds of files are taken, by their content, comma-separated: `images`, `audio`, `video`, `pdf`, `office`,
    `text`, `zip`."""
    audio: Literal["auto", "pass", "transcribe", "refuse"] = "auto"
    """What becomes of a recording: `pass` gives it to the model, `transcribe` has the back end write down what is said
    in it, `refuse` tells the visitor so. `auto` passes what Chat Completions takes (WAV, MP3), and refuses the rest."""
    transcription_model: str = "gpt-4o-mini-transcribe"
    """The back end's model that writes down recordings."""
    spare_files: Seconds = 600.0
    """How long what was uploaded for a message that failed stays at the back end for the same message to be sent
    again."""

    store: str = "sqlite:~/.local/state/deep-chat-proxy/store.sqlite3"
    """Where threads are remembered: sqlite:PATH, or sqlite::memory: for as long as the server runs."""
    kept_files: Bytes = 1024 * MIB
    """Most that is kept beside the store of files: those that visitors sent, and those of the assistant that no back
    end keeps; the oldest make room."""
    history_page: Annotated[int, Meta(ge=1, le=200)] = 20
    """Messages of a visitor, each with its answer, that `GET /api/history` gives at once."""
    max_threads: Count = 500
    """Most threads that a visitor can have."""
    keep_days: Annotated[float, Meta(ge=0.01, le=4000)] = 30.0
    """How long a thread is kept after its last message, in days; then it is deleted with its files, at the back end
    too."""
    title_model: str = ""
    """A model that names each thread by its first message; where it is not set, the first words of that do."""
    secret: str = ""
    """Keys that seal the session cookie, newest first, comma-separated, each of at least 16 characters; made
    and kept beside the store where not set."""
    session_days: Annotated[float, Meta(ge=0.01, le=400)] = 30.0
    """How long a session lasts after it was last used, in days."""
    secure_cookie: Literal["auto", "always", "never"] = "auto"
    """Whether the cookie is for TLS only; `auto` where the request came over TLS."""
    same_site: Literal["lax", "strict", "none"] = "lax"
    """The cookie's SameSite; `none` for pages on other sites, which needs TLS."""
    partitioned_cookie: Literal["no", "yes"] = "no"
    """Whether the cookie is kept apart for each site that the chat is embedded in; needs `none` as its SameSite."""
    visitors: Literal["cookie", "handle"] = "cookie"
    """What a visitor is known by: a session cookie, or, without any cookie, the `thread_id` that their page sends; who
    has that has the thread."""
    handle_days: Annotated[float, Meta(ge=0.01, le=400)] = 7.0
    """How long a `thread_id` opens its thread after it was last used, in days, where there are no cookies."""
    allowed_origins: tuple[str, ...] = ()
    """Pages on other origins that may use the server, comma-separated, such as https://example.com; `*` for all, where
    there are no cookies."""
    allowed_hosts: tuple[str, ...] = ()
    """Names under which the server may be asked for, comma-separated, such as chat.example.com or *.example.com, without
    a port. Where it
    is not set and the server listens on this machine alone, those of this machine; otherwise any."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    """Port to listen on; 0 takes a free one."""
    loop: Literal["auto", "asyncio", "uvloop"] = "auto"
    """Event loop of the process; `auto` is uvloop where it is installed (`pip install 'deep-chat-proxy[fast]'`)."""
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    """Processes that listen at the address and share the store. Limits on turns under way, memory and the like are for
    each of them."""
    metrics: Literal["off", "on"] = "off"
    """Whether `GET /metrics` has figures for Prometheus (`pip install 'deep-chat-proxy[metrics]'`)."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is logged; only `debug` shows what the back end said of its errors."""

    def __repr__(self) -> str:
        """Without secrets, so that it can be logged."""
        return f"Settings(upstream={self.upstream!r}, host={self.host!r}, port={self.port})"

    def __post_init__(self) -> None:
        """Refuse what cannot work together."""
        if self.back_end != "local":
            check_back_end(self)
        check_calls(self)
        check_visitors(self)
        check_packages(self)
        check_workers(self)
        if not re.fullmatch(r"sqlite:(?!~[^/]).*[^/.]", self.store):
            raise ValueError("DEEP_CHAT_STORE must be sqlite:PATH or sqlite::memory:")

    @property
    def back_end(self) -> Literal["responses", "chat", "assistants", "local"]:
        """Which protocol is spoken, or `local`."""
        if self.upstream != "auto":
            return self.upstream
        return "responses" if self.openai_api_key or self.openai_base_url else "local"

    @property
    def base_url(self) -> str:
        """Where the back end is, without a slash at its end."""
        return (self.openai_base_url or OPENAI).rstrip("/")

    @property
    def unused(self) -> list[str]:
        """The settings that were set, and are for other protocols than the one that is spoken."""
        defaults = type(self)()
        spoken = "responses" if self.back_end == "local" else self.back_end
        return [
            name
            for name, protocols in _ONLY_FOR.items()
            if spoken not in protocols and getattr(self, name) != getattr(defaults, name)
        ]

    @property
    def at_openai(self) -> bool:
        """Whether the back end is OpenAI's own."""
        return urlsplit(self.base_url).hostname == urlsplit(OPENAI).hostname

    @property
    def kept_for(self) -> float:
        """How long a thread is kept after it was last used, in seconds; one that nobody can open any more is not."""
        days = min(self.keep_days, self.handle_days) if self.visitors == "handle" else self.keep_days
        return days * 24 * 3600

    @property
    def store_path(self) -> Path | None:
        """The file of the store; None where it is in memory."""
        where = self.store.removeprefix("sqlite:")
        return None if where == ":memory:" else Path(where).expanduser()

    def beside_store(self, suffix: str) -> Path | None:
        """What lies beside the store under the same name; None where that is in memory."""
        return None if self.store_path is None else self.store_path.with_suffix(suffix)

    @property
    def secrets(self) -> list[str]:
        """The cookie keys that were given, newest first."""
        return [key.strip() for key in self.secret.split(",") if key.strip()]

    @property
    def longest_silence(self) -> float:
        """How long a back end may say nothing in a turn that is well, in seconds."""
        return max(self.answer_timeout, self.first_event_timeout, self.silence_timeout)

    @property
    def clearing(self) -> float:
        """How much of the time for a shutdown is for clearing up, in seconds; turns have the rest to come to their end."""
        return min(3.0, self.shutdown / 2)

    @property
    def turn_limits(self) -> TurnLimits:
        """The bounds of turns."""
        return TurnLimits(
            turn=self.turn_timeout,
            grace=self.grace,
            busy_wait=self.busy_wait,
            resend=self.resend,
            readable=self.readable,
            live=self.max_turns,
            rounds=self.tool_rounds,
            log_events=self.log_events,
            answer_characters=self.max_answer,
        )
