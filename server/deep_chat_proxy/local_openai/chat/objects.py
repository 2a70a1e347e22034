"""The objects of Chat Completions, as they stand on the wire. Times are Unix seconds."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType


class Usage(Struct, kw_only=True):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: dict[str, int]
    completion_tokens_details: dict[str, int]


class Choice(Struct, kw_only=True, omit_defaults=True):
    """One with a `delta` in a stream, with a `message` in a whole answer."""

    index: int
    delta: dict[str, Any] | UnsetType = UNSET
    message: dict[str, Any] | UnsetType = UNSET
    logprobs: None
    finish_reason: str | None


class Completion(Struct, kw_only=True):
    """A whole answer, or a chunk of one."""

    id: str
    object: str
    created: int
    model: str
    choices: list[Choice]
    usage: Usage | UnsetType | None = UNSET
    service_tier: str = "default"
    system_fingerprint: str = "fp_local"
    obfuscation: str | UnsetType = UNSET
