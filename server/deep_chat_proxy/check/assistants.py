"""What only a back end that speaks Assistants has: the assistant itself."""

from msgspec import Struct

from deep_chat_proxy.check.findings import Finding, missing, note, works
from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.settings import Settings
from deep_chat_proxy.upstream.assistants.api import BETA
from deep_chat_proxy.upstream.client import ApiClient, Call, path
from deep_chat_proxy.upstream.failures import UpstreamError


class Tool(Struct):
    type: str = ""


class Assistant(Struct):
    name: str | None = None
    model: str | None = None
    tools: list[Tool] = []


async def check_assistant(client: ApiClient, settings: Settings) -> list[Finding]:
    """The assistant of the settings."""
    call = Call("GET", path("assistants", settings.assistant_id), headers=BETA)
    try:
        assistant = (await client.ask(call)).into(Assistant)
    except UpstreamError as fault:
        if fault.status == 404:
            return [missing(f"There is no assistant {settings.assistant_id}.", "DEEP_CHAT_ASSISTANT_ID")]
        return [note("It does not show the assistant, so its functions are those that it has there.")]
    except ChatError:
        return [note("What it shows of the assistant cannot be read.")]
    tools = ", ".join(sorted({tool.type for tool in assistant.tools})) or "no tools"
    named = assistant.name or settings.assistant_id
    found = [works(f"The assistant {named} is there: {assistant.model or 'a model of its own'}, {tools}.")]
    if settings.model:
        found.append(note(f"Its model is overridden by {settings.model}.", "DEEP_CHAT_MODEL"))
    return [*found, note("It keeps the threads itself.")]
