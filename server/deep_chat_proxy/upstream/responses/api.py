"""The calls of Responses and Conversations that the dialect makes, one method each."""

from collections.abc import Mapping

from deep_chat_proxy.upstream.client import ApiClient, Call, path
from deep_chat_proxy.upstream.pauses import poll_hint
from deep_chat_proxy.upstream.responses.wire import Conversation, Item, ItemList, Response

_PAGE = "100"


class ResponsesApi:
    """Responses and conversations of one back end. Raises ChatError."""

    def __init__(self, client: ApiClient) -> None:
        self.client = client

    def create(self, body: Mapping[str, object], *, stream: bool) -> Call:
        """A response; without `stream` its answer may take as long as the model does."""
        return Call("POST", path("responses"), json={**body, "stream": stream}, stream=stream, patient=True)

    async def get(self, response_id: str) -> tuple[Response, float | None]:
        """A response, and after how many seconds the server wants to be asked again, if it says."""
        reply = await self.client.ask(Call("GET", path("responses", response_id)))
        return reply.into(Response), poll_hint(reply.headers)

    async def delete(self, response_id: str) -> None:
        """Delete a response."""
        await self.client.ask(Call("DELETE", path("responses", response_id)))

    async def cancel(self, response_id: str) -> None:
        """Ask for a background response to be cancelled; one that has ended stays as it is."""
        await self.client.ask(Call("POST", path("responses", response_id, "cancel"), repeatable=True))

    async def create_conversation(self) -> str:
        """A new conversation with nothing in it. One too many does no harm, so it may be asked for again."""
        reply = await self.client.ask(Call("POST", path("conversations"), json={}, repeatable=True))
        return str(reply.into(Conversation).id)

    async def delete_conversation(self, conversation_id: str) -> None:
        """Delete a conversation."""
        await self.client.ask(Call("DELETE", path("conversations", conversation_id)))

    async def newest_items(self, conversation_id: str) -> list[Item]:
        """The newest items of a conversation, oldest first."""
        query = {"limit": _PAGE, "order": "desc"}
        call = Call("GET", path("conversations", conversation_id, "items"), query=query)
        return list(reversed((await self.client.ask(call)).into(ItemList).data))
