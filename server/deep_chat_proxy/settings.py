"""Every setting, with its default, unit and range.

A field's name in capitals with `DEEP_CHAT_` before it is its environment variable, but for `OPENAI_API_KEY`
and `OPENAI_BASE_URL`, which are named as the official SDKs name them. `configuration.py` reads them.
"""

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

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
    "assistant_id": {"assistants"},
    "file_tool": {"assistants"},
}

OPENAI = "https://api.openai.com/v1"
OPENAI_MODEL = "gpt-6-luna"
"""What OpenAI names as the successor of its small models, and cheap enough for a page that anyone can use."""

_BASE_URL = re.compile(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")


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
    """Turns under way at once."""
    max_answer: Count = 1_000_000
    """Longest answer, in characters."""
    log_events: Annotated[int, Meta(ge=16)] = 2000
    """Events of a turn that are kept for connections that come later."""

    max_body: Bytes = 16 * MIB
    """Largest JSON request; old messages in it may hold images."""
    max_text: Count = 256_000
    """Longest message, in characters."""
    max_files: Annotated[int, Meta(ge=0)] = 10
    """Most files on one message."""
    max_file_size: Bytes = 32 * MIB
    """Largest file."""
    max_upload: Bytes = 64 * MIB
    """Largest sum of the files of one message."""

    store: str = "sqlite:~/.local/state/deep-chat-proxy/store.sqlite3"
    """Where threads are remembered: sqlite:PATH, or sqlite::memory: for as long as the server runs."""
    kept_files: Bytes = 1024 * MIB
    """Most that is kept beside the store of files that no back end keeps; the oldest make room."""
    secret: str = ""
    """Keys that seal the session cookie, newest first, comma-separated, each of at least 16 characters; made
    and kept beside the store where not set."""
    session_days: Annotated[float, Meta(ge=0.01, le=400)] = 30.0
    """How long a session lasts after it was last used, in days."""
    secure_cookie: Literal["auto", "always", "never"] = "auto"
    """Whether the cookie is for TLS only; `auto` where the request came over TLS."""
    same_site: Literal["lax", "strict", "none"] = "lax"
    """The cookie's SameSite; `none` for pages on other sites, which needs TLS."""
    allowed_origins: tuple[str, ...] = ()
    """Pages on other origins that may use the server, comma-separated, such as https://example.com."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    """Port to listen on; 0 takes a free one."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is logged; only `debug` shows what the back end said of its errors."""

    def __repr__(self) -> str:
        """Without secrets, so that it can be logged."""
        return f"Settings(upstream={self.upstream!r}, host={self.host!r}, port={self.port})"

    def __post_init__(self) -> None:
        """Refuse what cannot work together."""
        if self.back_end != "local":
            _check_back_end(self)
        _check_calls(self)
        _check_visitors(self)
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


def _check_calls(settings: Settings) -> None:
    """What goes with the calls to a back end."""
    if not settings.openai_api_key.isprintable() or not settings.openai_api_key.isascii():
        raise ValueError("OPENAI_API_KEY holds a character that no key has, such as a line break")
    for name, value in settings.upstream_headers.items():
        if not _HEADER_NAME.fullmatch(name) or not value.isprintable():
            raise ValueError(f"DEEP_CHAT_UPSTREAM_HEADERS: {name!r} with its value is no HTTP header")
    for label, server in settings.mcp_servers.items():
        if not label or not any(
            isinstance(server.get(name), str) and server[name] for name in ("server_url", "connector_id")
        ):
            raise ValueError(f"DEEP_CHAT_MCP_SERVERS: {label} has no server_url (or connector_id)")


def _check_visitors(settings: Settings) -> None:
    """Who may come, and by what they are known."""
    if settings.same_site == "none" and settings.secure_cookie == "never":
        raise ValueError("DEEP_CHAT_SAME_SITE=none needs DEEP_CHAT_SECURE_COOKIE=always or auto")
    if any(len(key) < 16 for key in settings.secrets):
        raise ValueError("DEEP_CHAT_SECRET: each key needs at least 16 characters")
    for origin in settings.allowed_origins:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(
                f"DEEP_CHAT_ALLOWED_ORIGINS: {origin} is no origin; write it as browsers do, such as"
                " https://example.com, without a path or a slash at its end"
            )


def _check_back_end(settings: Settings) -> None:
    if settings.openai_base_url and not _is_base_url(settings.openai_base_url):
        raise ValueError(
            "OPENAI_BASE_URL must be http:// or https://, a host and a path, such as https://example.com/v1;"
            " what belongs behind a ? goes into DEEP_CHAT_UPSTREAM_QUERY"
        )
    at_openai = settings.at_openai
    if settings.back_end == "assistants":
        _check_assistants(settings, at_openai=at_openai)
    elif not settings.model and not at_openai:
        raise ValueError(
            "DEEP_CHAT_MODEL is missing: it names a model of the server at OPENAI_BASE_URL"
            " (`deep-chat-proxy check` lists them, where the server tells)"
        )
    if at_openai and not settings.openai_api_key:
        raise ValueError("OPENAI_API_KEY is missing: OpenAI answers nobody without one")


def _is_base_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    labels = (parts.hostname or "").removesuffix(".").split(".")
    return bool(_BASE_URL.fullmatch(url)) and port != 0 and all(labels)


def _check_assistants(settings: Settings, *, at_openai: bool) -> None:
    if not settings.openai_base_url:
        raise ValueError(
            "OPENAI_BASE_URL is missing: it says where a server that speaks Assistants is; OpenAI's own does not"
            " since 2026-08-26, so with a key of OpenAI's leave DEEP_CHAT_UPSTREAM out, which makes it `responses`"
        )
    if at_openai:
        raise ValueError(
            "OPENAI_BASE_URL: OpenAI switched its Assistants API off on 2026-08-26. Set DEEP_CHAT_UPSTREAM=responses,"
            " which is what OpenAI speaks today, or name a server that still speaks Assistants (Azure AI Foundry"
            " Agents classic, DashScope or your own)"
        )
    if not settings.assistant_id:
        raise ValueError("DEEP_CHAT_ASSISTANT_ID is missing: it names the assistant at the back end")
