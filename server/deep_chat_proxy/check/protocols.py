"""Which protocols a back end speaks: each is asked for nothing, which is refused where it is spoken."""

import msgspec

from deep_chat_proxy.check.findings import Finding, missing, note, works
from deep_chat_proxy.errors import INVALID_KEY, ChatError
from deep_chat_proxy.settings import Settings
from deep_chat_proxy.upstream.client import ApiClient, Call, path
from deep_chat_proxy.upstream.failures import UpstreamError, read_error

NAMES = {"responses": "Responses", "chat": "Chat Completions", "assistants": "Assistants"}
# A request that says nothing has no model and no message, so there is nothing that could be answered or billed.
_CALLS = {
    "responses": Call("POST", path("responses"), json={}),
    "chat": Call("POST", path("chat", "completions"), json={}),
    "assistants": Call(
        "GET", path("assistants"), query={"limit": "1"}, headers={"OpenAI-Beta": "assistants=v2"}
    ),
}
_NOT_SPOKEN = frozenset({404, 405, 410, 501})


async def spoken(client: ApiClient) -> dict[str, bool]:
    """Each protocol, and whether it is spoken. Raises ChatError where the back end does not answer."""
    return {name: await _speaks(client, call) for name, call in _CALLS.items()}


async def _speaks(client: ApiClient, call: Call) -> bool:
    try:
        reply = await client.ask(call)
    except UpstreamError as fault:
        if fault.status in {401, 403}:
            raise
        # Where a path is spoken, nothing is refused with an error that says something.
        return fault.status >= 400 and fault.status not in _NOT_SPOKEN and bool(fault.message)
    # LM Studio answers what it does not know with a good status and an error.
    return _is_object(reply.body) and not read_error(reply.body).message


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(body), dict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


async def check_protocols(client: ApiClient, settings: Settings) -> tuple[list[Finding], bool]:
    """What was found, and whether it makes sense to go on asking."""
    try:
        found = await spoken(client)
    except ChatError as fault:
        return [_no_answer(fault, settings)], False
    name = "responses" if settings.back_end == "local" else settings.back_end
    others = [other for other, speaks in found.items() if speaks and other != name]
    if not any(found.values()):
        advice = "OPENAI_BASE_URL (it usually ends in /v1)"
        return [missing("Something answers there, but it speaks none of the protocols.", advice)], False
    findings = [works("The back end answers and takes the key.")]
    if not found[name]:
        return [
            *findings,
            missing(f"It does not speak {NAMES[name]}.", f"DEEP_CHAT_UPSTREAM={others[0]}"),
        ], False
    findings.append(works(f"It speaks {NAMES[name]}."))
    # The local one is started with Responses, and for that alone.
    if others and settings.back_end != "local":
        known = " and ".join(NAMES[other] for other in others)
        findings.append(note(f"It also speaks {known}.", f"DEEP_CHAT_UPSTREAM={' or '.join(others)}"))
    return findings, True


def _no_answer(fault: ChatError, settings: Settings) -> Finding:
    if fault.problem is INVALID_KEY and not settings.openai_api_key:
        return missing("The back end wants a key, and none is set.", "OPENAI_API_KEY")
    if fault.problem is INVALID_KEY:
        return missing("The back end refuses the key.", "OPENAI_API_KEY, DEEP_CHAT_API_KEY_HEADER")
    return missing(f"The back end does not answer ({fault.cause}).", "OPENAI_BASE_URL")
