"""Asks everything there is to ask, and prints what was found."""

from collections.abc import Sequence

from deep_chat_proxy.backend import BackEnd, dialect_of, functions_of, model_of, open_client
from deep_chat_proxy.check.assistants import check_assistant
from deep_chat_proxy.check.findings import Finding, Level, note
from deep_chat_proxy.check.models import check_model
from deep_chat_proxy.check.protocols import check_protocols
from deep_chat_proxy.check.responses import check_responses
from deep_chat_proxy.check.sending import check_message
from deep_chat_proxy.configuration import variable
from deep_chat_proxy.settings import Settings
from deep_chat_proxy.tools import Registry, ToolExecutor
from deep_chat_proxy.upstream.client import ApiClient

_LONGEST = 2_000


async def check(settings: Settings, registry: Registry, *, send: bool) -> bool:
    """Print what the back end can do; returns whether the chat works with it. `send` lets it send one message."""
    where = "the local OpenAI" if settings.back_end == "local" else settings.base_url
    print(f"Back end: {where}")
    good = True
    findings = [note(f"{variable(name)} does nothing with this protocol.") for name in settings.unused]
    async with open_client(settings) as client:
        dialect = dialect_of(settings, client, functions_of(registry.definitions()))
        found, can_go_on = await check_protocols(client, settings)
        findings += found
        if can_go_on:
            findings += await _check_back_end(client, settings)
            ready = all(finding.level is not Level.MISSING for finding in findings)
            findings += await _check_message(dialect, settings, registry, send=send, ready=ready)
    for finding in findings:
        print(_line(finding, settings.openai_api_key))
        good = good and finding.level is not Level.MISSING
    print("The chat works with it." if good else "The chat does not work with it yet.")
    return good


async def _check_back_end(client: ApiClient, settings: Settings) -> Sequence[Finding]:
    match settings.back_end:
        case "assistants":
            return await check_assistant(client, settings)
        case "chat":
            kept = note("The store here keeps the threads and sends them with each message.")
            return [*await check_model(client, model_of(settings)), kept]
        case _:
            model = await check_model(client, model_of(settings))
            return [*model, *await check_responses(client, settings)]


async def _check_message(
    dialect: BackEnd, settings: Settings, registry: Registry, *, send: bool, ready: bool
) -> Sequence[Finding]:
    if not send:
        return [note("No message was sent, since that may be billed; --send sends one.")]
    if not ready:
        return [note("No message was sent, since something is missing.")]
    executor = ToolExecutor(registry, timeout=settings.tool_timeout, max_output=settings.tool_output)
    try:
        return await check_message(dialect, settings, executor)
    finally:
        await executor.close()


def _line(finding: Finding, key: str) -> str:
    setting = f"  → {finding.setting}" if finding.setting else ""
    # A back end's words are in it: no control characters for the terminal, and not our key.
    text = "".join(letter for letter in finding.text[:_LONGEST] if letter.isprintable())
    return f"  {finding.level.value:<8} {text.replace(key, '…') if key else text}{setting}"
