"""What only a back end that speaks Responses has: places for threads, a file store, tools of its own."""

from deep_chat_proxy.backend import LOCAL_TOOLS
from deep_chat_proxy.check.findings import Finding, missing, note, works
from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.settings import Settings
from deep_chat_proxy.upstream.client import ApiClient, Call, path
from deep_chat_proxy.upstream.failures import UpstreamError
from deep_chat_proxy.upstream.responses.abilities import find_way
from deep_chat_proxy.upstream.responses.api import ResponsesApi
from deep_chat_proxy.upstream.responses.options import Way

_KEPT = {
    Way.CONVERSATION: "It has conversations, so it keeps the threads itself.",
    Way.CHAIN: "It has no conversations but keeps its responses, so threads are chains of them.",
    Way.HISTORY: "It keeps nothing, so the store here keeps the threads and sends them with each message.",
}
_COULD = {
    Way.CONVERSATION: "It could keep the threads itself, in conversations.",
    Way.CHAIN: "It could keep the threads itself, in chains of responses.",
}
# What else a server can do that can do this.
_INCLUDED = {
    Way.CONVERSATION: {Way.CONVERSATION, Way.CHAIN, Way.HISTORY},
    Way.CHAIN: {Way.CHAIN, Way.HISTORY},
    Way.HISTORY: {Way.HISTORY},
}


async def check_responses(client: ApiClient, settings: Settings) -> list[Finding]:
    """Threads, files, the back end's own tools."""
    return [
        *await _threads(client, settings),
        *await _files(client, settings),
        *await _vector_stores(client, settings),
        *_tools(settings),
    ]


async def _threads(client: ApiClient, settings: Settings) -> list[Finding]:
    try:
        way = await find_way(ResponsesApi(client))
    except ChatError as fault:
        return [missing(f"Whether it keeps threads cannot be found out ({fault.cause}).")]
    chosen = settings.thread_state
    if chosen != "auto" and Way(chosen) not in _INCLUDED[way]:
        advice = f"DEEP_CHAT_THREAD_STATE={way.value}, or auto"
        return [missing(f"{_KEPT[way]} Set is {chosen}, which does not work.", advice)]
    if chosen not in {"auto", way.value}:
        return [works(f"Set is {chosen}, which works. {_COULD[way]}", "DEEP_CHAT_THREAD_STATE")]
    return [works(_KEPT[way], "DEEP_CHAT_THREAD_STATE")]


async def _files(client: ApiClient, settings: Settings) -> list[Finding]:
    try:
        await client.ask(Call("GET", path("files"), query={"limit": "1"}))
    except ChatError:
        if settings.upload_files == "always":
            return [missing("It has no file store.", "DEEP_CHAT_UPLOAD_FILES=auto")]
        return [note("It has no file store, so attached files are sent with the message.")]
    return [works("It stores files.", "DEEP_CHAT_UPLOAD_FILES")]


async def _vector_stores(client: ApiClient, settings: Settings) -> list[Finding]:
    found = []
    for store in settings.vector_stores:
        try:
            await client.ask(Call("GET", path("vector_stores", store)))
        except ChatError as fault:
            if isinstance(fault, UpstreamError) and fault.status == 404:
                found.append(missing(f"There is no vector store {store}.", "DEEP_CHAT_VECTOR_STORES"))
            else:
                found.append(note(f"Whether there is a vector store {store} cannot be found out."))
        else:
            found.append(works(f"The vector store {store} is there."))
    return found


def _tools(settings: Settings) -> list[Finding]:
    hosted = LOCAL_TOOLS if settings.back_end == "local" else settings.hosted_tools
    names = [*hosted, *(f"MCP server {label}" for label in settings.mcp_servers)]
    if not names:
        return [note("None of its own tools is switched on.", "DEEP_CHAT_HOSTED_TOOLS")]
    return [
        note(f"Switched on of its own tools: {', '.join(names)}. One that it lacks makes it refuse messages.")
    ]
