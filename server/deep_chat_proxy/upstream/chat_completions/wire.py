"""The objects of Chat Completions, with only the fields that are used.

Shapes: OpenAI's API document of 2026-08-21. What servers are known to do otherwise is allowed for: `content` may be
a list of parts, the arguments of a call an object, its `index` or `id` missing, and so may any other field be null.
"""

from typing import Any

from msgspec import Struct


class Function(Struct):
    name: str | None = None
    arguments: Any = None


class CallPiece(Struct):
    """A call, or a piece of one."""

    index: int | None = None
    id: str | int | None = None
    function: Function | None = None


class ContentPart(Struct):
    type: str = ""
    text: str | None = None


class UrlCitation(Struct):
    """A page, and which of the text's characters are about it."""

    url: str | None = None
    title: str | None = None
    start_index: Any = None
    end_index: Any = None


class Annotation(Struct):
    url_citation: UrlCitation | None = None


class Said(Struct):
    """A message, or in a stream what is new of it; `annotations` are read one by one."""

    content: str | list[ContentPart] | None = None
    refusal: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    tool_calls: list[CallPiece] | None = None
    annotations: Any = None


class Choice(Struct):
    delta: Said | None = None
    message: Said | None = None
    finish_reason: str | None = None


class Usage(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Completion(Struct):
    """A whole answer, or a chunk of one; or an error in its place. `citations` and `search_results` are lists of pages
    that some servers send.
    """

    choices: list[Choice] | None = None
    usage: Usage | None = None
    error: Any = None
    citations: Any = None
    search_results: Any = None
