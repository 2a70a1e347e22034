"""What settings have to be like, and to go together with: each rule refuses by the name of a variable."""

import os
import re
import socket
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from deep_chat_proxy.settings import Settings

_BASE_URL = re.compile(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")
_HOST = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\]", re.IGNORECASE)


def check_calls(settings: "Settings") -> None:
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


def check_visitors(settings: "Settings") -> None:
    """Who may come, and by what they are known."""
    if settings.same_site == "none" and settings.secure_cookie == "never":
        raise ValueError("DEEP_CHAT_SAME_SITE=none needs DEEP_CHAT_SECURE_COOKIE=always or auto")
    if settings.partitioned_cookie == "yes" and settings.same_site != "none":
        raise ValueError("DEEP_CHAT_PARTITIONED_COOKIE=yes needs DEEP_CHAT_SAME_SITE=none")
    if any(len(key) < 16 for key in settings.secrets):
        raise ValueError("DEEP_CHAT_SECRET: each key needs at least 16 characters")
    if settings.allowed_origins == ("*",) and settings.visitors != "handle":
        raise ValueError(
            "DEEP_CHAT_ALLOWED_ORIGINS=* needs DEEP_CHAT_VISITORS=handle: with cookies, any page could ask and read in"
            " the name of whoever looks at it"
        )
    for origin in settings.allowed_origins:
        if not _ORIGIN.fullmatch(origin) and settings.allowed_origins != ("*",):
            raise ValueError(
                f"DEEP_CHAT_ALLOWED_ORIGINS: {origin} is no origin; write it as browsers do, such as"
                " https://example.com, without a path or a slash at its end"
            )
    for host in settings.allowed_hosts:
        if not _HOST.fullmatch(host):
            raise ValueError(
                f"DEEP_CHAT_ALLOWED_HOSTS: {host} is no name of a server; write it as browsers do, such as"
                " chat.example.com, *.example.com or [::1], without a scheme, port or path"
            )


def check_packages(settings: "Settings") -> None:
    """What needs a package that is not installed with the server."""
    if settings.loop == "uvloop" and find_spec("uvloop") is None:
        raise ValueError(
            "DEEP_CHAT_LOOP=uvloop needs uvloop, which is not installed: pip install 'deep-chat-proxy[fast]'"
        )
    if settings.metrics == "on" and find_spec("prometheus_client") is None:
        raise ValueError(
            "DEEP_CHAT_METRICS=on needs prometheus-client, which is not installed:"
            " pip install 'deep-chat-proxy[metrics]'"
        )


def check_workers(settings: "Settings") -> None:
    """What several processes at one address need."""
    if settings.workers == 1:
        return
    if settings.store_path is None:
        raise ValueError(
            f"DEEP_CHAT_WORKERS={settings.workers} needs a DEEP_CHAT_STORE in a file, which all of them share"
        )
    if not (hasattr(socket, "SO_REUSEPORT") and hasattr(os, "fork")):
        raise ValueError("DEEP_CHAT_WORKERS: on this system only one process can listen at an address")


def check_back_end(settings: "Settings") -> None:
    """What a back end other than our own needs."""
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


def _check_assistants(settings: "Settings", *, at_openai: bool) -> None:
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
