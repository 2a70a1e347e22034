"""The calls of Assistants v2 that the dialect makes, one method each."""

from collections.abc import Mapping, Sequence

from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.turn.events import ToolOutput
from deep_chat_proxy.upstream.assistants.wire import Assistant, Message, MessageList, Run, RunList, Thread
from deep_chat_proxy.upstream.client import ApiClient, Call, path
from deep_chat_proxy.upstream.failures import UpstreamError
from deep_chat_proxy.upstream.pauses import poll_hint

# Sent with every call; servers other than OpenAI's pass it over.
BETA = {"OpenAI-Beta": "assistants=v2"}
_PAGE = "100"
_MAX_PAGES = 10


class AssistantsApi:
    """Threads, messages and runs of one back end. Raises ChatError."""

    def __init__(self, client: ApiClient) -> None:
        self.client = client

    async def create_thread(self, messages: Sequence[Mapping[str, object]]) -> str:
        """A new thread with messages on it. One too many does no harm, as nothing runs on it, so it may be asked for
        again.
        """
        body = {"messages": messages}
        reply = await self.client.ask(Call("POST", path("threads"), json=body, headers=BETA, repeatable=True))
        return str(reply.into(Thread).id)

    async def delete_thread(self, thread_id: str) -> None:
        """Delete a thread and all that is on it."""
        await self.client.ask(Call("DELETE", path("threads", thread_id), headers=BETA))

    def run(self, thread_id: str, run: Mapping[str, object], *, stream: bool) -> Call:
        """A run on a thread that holds the message already."""
        body = {**run, "stream": stream}
        return Call("POST", path("threads", thread_id, "runs"), json=body, headers=BETA, stream=stream)

    def outputs(self, thread_id: str, run_id: str, outputs: Sequence[ToolOutput], *, stream: bool) -> Call:
        """The outputs of all calls that a run waits for: servers refuse a part of them."""
        body = {
            "tool_outputs": [{"tool_call_id": out.call_id, "output": out.output} for out in outputs],
            "stream": stream,
        }
        where = path("threads", thread_id, "runs", run_id, "submit_tool_outputs")
        return Call("POST", where, json=body, headers=BETA, stream=stream)

    async def add_message(self, thread_id: str, message: Mapping[str, object]) -> str:
        """Put a visitor's message on a thread; returns its id there."""
        reply = await self.client.ask(
            Call("POST", path("threads", thread_id, "messages"), json=message, headers=BETA)
        )
        return str(reply.into(Message).id)

    async def newest_messages(self, thread_id: str, most: int) -> list[Message]:
        """The newest messages of a thread, newest first."""
        query = {"limit": str(most), "order": "desc"}
        call = Call("GET", path("threads", thread_id, "messages"), query=query, headers=BETA)
        return (await self.client.ask(call)).into(MessageList).data

    async def delete_message(self, thread_id: str, message_id: str) -> None:
        """Take a message off a thread."""
        where = path("threads", thread_id, "messages", message_id)
        await self.client.ask(Call("DELETE", where, headers=BETA))

    async def get_run(self, thread_id: str, run_id: str) -> tuple[Run, float | None]:
        """A run, and after how many seconds the server wants to be asked again, if it says."""
        reply = await self.client.ask(Call("GET", path("threads", thread_id, "runs", run_id), headers=BETA))
        return reply.into(Run), poll_hint(reply.headers)

    async def newest_run(self, thread_id: str) -> Run | None:
        """The newest run of a thread."""
        query = {"limit": "1", "order": "desc"}
        reply = await self.client.ask(
            Call("GET", path("threads", thread_id, "runs"), query=query, headers=BETA)
        )
        return next(iter(reply.into(RunList).data), None)

    async def cancel(self, thread_id: str, run_id: str) -> None:
        """Ask for a run to be cancelled; it is `cancelling` for a while then."""
        where = path("threads", thread_id, "runs", run_id, "cancel")
        await self.client.ask(Call("POST", where, headers=BETA, repeatable=True))

    async def messages_of_run(self, thread_id: str, run_id: str) -> list[Message]:
        """The messages that a run made, oldest first."""
        found: list[Message] = []
        query = {"limit": _PAGE, "order": "asc", "run_id": run_id}
        for _ in range(_MAX_PAGES):
            call = Call("GET", path("threads", thread_id, "messages"), query=query, headers=BETA)
            page = (await self.client.ask(call)).into(MessageList)
            # Servers that do not know `run_id` list the whole thread.
            found += [
                message for message in page.data if message.run_id is None or str(message.run_id) == run_id
            ]
            if not page.has_more or page.last_id is None:
                break
            query["after"] = str(page.last_id)
        return found

    async def assistant_tools(self, assistant_id: str) -> list[dict[str, object]] | None:
        """The tools that an assistant has, None where the server does not tell.

        Raises ChatError where it may tell another time.
        """
        try:
            reply = await self.client.ask(Call("GET", path("assistants", assistant_id), headers=BETA))
        except UpstreamError as fault:
            if fault.problem.retry:
                raise
            return None
        try:
            return reply.into(Assistant).tools
        except ChatError:
            return None
