"""Tools that run at the back end: the web search, and those of MCP servers."""

import json
import re
from collections.abc import Iterator

from deep_chat_proxy.local_openai.brain.actions import (
    Action,
    AskApproval,
    CiteUrl,
    Say,
    SearchWeb,
    Source,
    UseRemoteTool,
)
from deep_chat_proxy.local_openai.brain.conversation import Conversation
from deep_chat_proxy.local_openai.brain.entry import Entry, whole

WEB_SEARCH = re.compile(r"^(?:please\s+)?search\s+the\s+web\s+for\s+(.{1,200})", re.IGNORECASE)
SOURCES = (
    Source("https://example.org/facts", "Facts for everybody"),
    Source("https://example.com/news", "News of the day"),
)
REMOTE_TOOL = "roll_dice"
REMOTE_OUTPUT = "4"


def _search(found: re.Match[str], conversation: Conversation) -> Iterator[Action]:
    if "web_search" not in conversation.built_in:
        yield Say("I cannot search the web: I was given no web search.")
        return
    query = found[1].strip(" .!?")
    yield SearchWeb(query, SOURCES)
    yield Say(f"About “{query}” I found two pages. The first has the facts ")
    yield CiteUrl("([example.org](https://example.org/facts))", SOURCES[0])
    yield Say(", and the second is about today ")
    yield CiteUrl("([example.com](https://example.com/news))", SOURCES[1])
    yield Say(".")


def _use_remote(_found: re.Match[str], conversation: Conversation) -> Iterator[Action]:
    remote = conversation.remote
    arguments = json.dumps({"sides": 6})
    if remote is None:
        yield Say("I was given no MCP server.")
    elif remote.ask_first and conversation.approved is None:
        yield AskApproval(remote.label, REMOTE_TOOL, arguments)
    elif remote.ask_first and not conversation.approved:
        yield Say(f"Without your approval I do not use `{REMOTE_TOOL}` of `{remote.label}`.")
    else:
        yield UseRemoteTool(remote.label, REMOTE_TOOL, arguments, REMOTE_OUTPUT)
        yield Say(f"`{REMOTE_TOOL}` of `{remote.label}` answered: {REMOTE_OUTPUT}")


ENTRIES = (
    Entry(WEB_SEARCH, "search the web for news", "the web search, with two pages cited", _search),
    Entry(
        whole(r"use\s+(?:the|your)\s+mcp\s+(?:server|tools?)"),
        "use the mcp server",
        f"calls `{REMOTE_TOOL}` of an MCP server, after your approval where that is asked for",
        _use_remote,
    ),
)
