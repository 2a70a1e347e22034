"""What has arrived of something whose answer was lost: looked for before it is sent once more.

A response takes what it was sent and what it said into its conversation when it has completed, both at once. So what
stands behind the last item that is known tells whether it did.
"""

from collections.abc import Sequence

from deep_chat_proxy.turn.transcript import AssistantSaid, Entry, OutputsGiven, UserSaid
from deep_chat_proxy.upstream.failures import UpstreamError
from deep_chat_proxy.upstream.responses.api import ResponsesApi
from deep_chat_proxy.upstream.responses.wire import Item, Response


async def made_response(api: ResponsesApi, response_id: str) -> Response | None:
    """A response whose connection was lost; None where it was lost with it. Raises ChatError."""
    try:
        response, _ = await api.get(response_id)
    except UpstreamError as fault:
        if fault.status not in {400, 404}:
            raise
        return None
    return None if response.status == "cancelled" else response


async def new_items(api: ResponsesApi, conversation: str, newest: str | None) -> list[Item] | None:
    """What a conversation holds behind the item `newest`, oldest first; None where it is no longer there. Raises
    ChatError.
    """
    try:
        items = await api.newest_items(conversation)
    except UpstreamError as fault:
        if fault.status != 404:
            raise
        return None
    known = [index for index, item in enumerate(items) if newest is not None and str(item.id) == newest]
    return items[known[-1] + 1 :] if known else items


def answer_to(last: Entry, items: Sequence[Item]) -> list[Item] | None:
    """What stands behind `last` among these items, None where it is not there."""
    if isinstance(last, OutputsGiven):
        wanted = {output.call_id for output in last.outputs}
        places = [
            index
            for index, item in enumerate(items)
            if item.type == "function_call_output" and item.call_id in wanted
        ]
    elif isinstance(last, UserSaid):
        places = [
            index for index, item in enumerate(items) if item.role == "user" and _begins(item, last.text)
        ]
    else:
        return None
    return list(items[places[-1] + 1 :]) if places else None


def how_many(entries: Sequence[Entry], items: Sequence[Item]) -> int:
    """How many of these entries, oldest first, need not be sent any more since they stand among the items."""
    arrived = 0
    for index, entry in enumerate(entries):
        behind = answer_to(entry, items)
        if behind is not None:
            arrived = index + 1
            items = behind
        elif isinstance(entry, AssistantSaid) and arrived == index and any(map(_is_said, items)):
            # A part of what stands there whole.
            arrived = index + 1
    return arrived


def _begins(item: Item, text: str) -> bool:
    if isinstance(item.content, str):
        return item.content == text
    return item.content is not None and len(item.content) > 0 and (item.content[0].text or "") == text


def _is_said(item: Item) -> bool:
    return item.type == "message" and item.role == "assistant"
