"""What a new response stands on: a conversation, the chain of an earlier response, or only its own input."""

from collections.abc import Iterable

from msgspec import Struct

from deep_chat_proxy.local_openai.errors import ApiError, bad_id
from deep_chat_proxy.local_openai.responses import errors
from deep_chat_proxy.local_openai.responses.kept import ConversationKept
from deep_chat_proxy.local_openai.responses.objects import Item
from deep_chat_proxy.local_openai.responses.requests import CreateResponse
from deep_chat_proxy.local_openai.state import LocalState


class Place(Struct, frozen=True):
    """Where a response belongs, with the items from before and the bytes of the requests they came with."""

    items: tuple[Item, ...] = ()
    size: int = 0
    conversation: ConversationKept | None = None
    previous: str | None = None

    @property
    def id(self) -> str:
        """Of the conversation or the earlier response; empty where there is neither."""
        if self.conversation is not None:
            return self.conversation.conversation.id
        return self.previous or ""


def find_place(state: LocalState, asked: CreateResponse) -> Place:
    """Raises ApiError (400, 404) where the request names no place, two, or one that cannot be had."""
    if asked.conversation is not None and asked.previous_response_id is not None:
        raise errors.one_place_only()
    if asked.conversation is not None:
        return _in_conversation(state, asked)
    if asked.previous_response_id is not None:
        return _after_response(state, asked.previous_response_id)
    if asked.input is None:
        raise errors.nothing_to_answer()
    return Place()


def find_conversation(state: LocalState, conversation_id: str, param: str) -> ConversationKept:
    """Raises ApiError (400 for what is no conversation id at all, 404)."""
    if not conversation_id.startswith("conv"):
        raise bad_id(param, conversation_id, "conv")
    kept = state.conversations.get(conversation_id)
    if kept is None:
        raise errors.conversation_not_found(conversation_id)
    return kept


def _in_conversation(state: LocalState, asked: CreateResponse) -> Place:
    if not state.options.conversations:
        raise ApiError(
            400, "Unknown parameter: 'conversation'.", param="conversation", code="unknown_parameter"
        )
    named = asked.conversation
    conversation_id = named if isinstance(named, str) else named.id if named is not None else ""
    kept = find_conversation(state, conversation_id, "conversation")
    if kept.answering is not None:
        raise errors.conversation_locked()
    return Place(tuple(kept.items.values()), state.conversations.size(conversation_id), kept)


def _after_response(state: LocalState, response_id: str) -> Place:
    if not state.options.stored_responses:
        raise errors.previous_not_supported()
    if not response_id.startswith("resp"):
        raise bad_id("previous_response_id", response_id, "resp")
    kept = state.responses.get(response_id)
    if kept is None:
        raise errors.previous_not_found(response_id)
    if kept.active:
        raise errors.previous_in_progress(response_id)
    return Place(kept.history(), kept.size, previous=response_id)


def check_answers(items: Iterable[Item]) -> None:
    """
    Every call has its output, and every output and approval has what it answers.

    Raises ApiError (400). A conversation with a call that was not answered stays so until it is.
    """
    open_calls: dict[str, None] = {}
    calls: set[str] = set()
    requests: set[str] = set()
    for item in items:
        match item["type"]:
            case "function_call":
                open_calls[item["call_id"]] = None
                calls.add(item["call_id"])
            case "function_call_output":
                if item["call_id"] not in calls:
                    raise errors.no_call_for(item["call_id"])
                open_calls.pop(item["call_id"], None)
            case "mcp_approval_request":
                requests.add(item["id"])
            case "mcp_approval_response":
                if item["approval_request_id"] not in requests:
                    raise errors.no_request_for(item["approval_request_id"])
    if open_calls:
        raise errors.no_output_for(next(iter(open_calls)))
