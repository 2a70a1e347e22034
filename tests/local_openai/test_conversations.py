"""Conversations with the official SDK as the client, and their items byte for byte."""

from typing import Any

import pytest

from deep_chat_proxy.local_openai import LocalOptions
from local_openai.responses_wire import (
    CONVERSATION_ITEM,
    asking,
    conversation_items,
    conversation_with,
    create,
    refused,
    said,
)
from local_openai.wire import Local, StartLocal

HELLO: dict[str, Any] = {"role": "user", "content": "Hello"}


async def test_the_sdk_creates_retrieves_modifies_and_deletes_a_conversation(local: Local) -> None:
    conversations = local.client.conversations
    made = await conversations.create(metadata={"a": "b"}, items=[{"role": "user", "content": "Hello"}])
    modified = await conversations.update(made.id, metadata={"c": "d"})
    again = await conversations.retrieve(made.id)
    deleted = await conversations.delete(made.id)

    assert (made.metadata, modified.metadata, again.metadata) == ({"a": "b"}, {"c": "d"}, {"c": "d"})
    assert (deleted.id, deleted.deleted, deleted.object) == (made.id, True, "conversation.deleted")
    assert (await local.call("GET", f"/conversations/{made.id}"))[0] == 404


async def test_the_sdk_adds_lists_retrieves_and_deletes_items(local: Local) -> None:
    conversations = local.client.conversations
    made = await conversations.create()
    added = await conversations.items.create(
        made.id, items=[{"role": "user", "content": "One"}, {"role": "assistant", "content": "Two"}]
    )
    listed = [item.id async for item in conversations.items.list(made.id, order="asc", limit=1)]
    first = await conversations.items.retrieve(added.data[0].id or "", conversation_id=made.id)
    left = await conversations.items.delete(added.data[0].id or "", conversation_id=made.id)

    assert listed == [item.id for item in added.data]
    assert CONVERSATION_ITEM.validate_python(first.to_dict()).role == "user"
    assert left.id == made.id
    assert len(await conversation_items(local, made.id)) == 1


async def test_what_was_put_into_a_conversation_was_said_in_it(local: Local) -> None:
    _, made = await local.call(
        "POST",
        "/conversations",
        {"items": [{"role": "user", "content": "My name is Ada"}, {"role": "assistant", "content": "Hi"}]},
    )
    response = await create(local, "What is my name, and how many messages?", conversation=made["id"])

    assert "2 messages of yours, this one included, and 1 of mine" in said(response)


async def test_a_deleted_item_was_never_said(local: Local) -> None:
    conversation_id = await conversation_with(local, "My name is Ada")
    first, _ = await conversation_items(local, conversation_id)
    await local.call("DELETE", f"/conversations/{conversation_id}/items/{first['id']}")

    assert "not told me" in said(await create(local, "What is my name?", conversation=conversation_id))


async def test_the_newest_items_come_first_and_in_pages(local: Local) -> None:
    conversation_id = await conversation_with(local, "Hello", "Thanks")
    items = [item["id"] for item in await conversation_items(local, conversation_id)]
    path = f"/conversations/{conversation_id}/items"
    _, page = await local.call("GET", f"{path}?limit=3")
    _, rest = await local.call("GET", f"{path}?limit=3&after={page['last_id']}")

    assert [item["id"] for item in page["data"] + rest["data"]] == items[::-1]
    assert (page["has_more"], rest["has_more"]) == (True, False)


async def test_a_conversation_may_go_on_without_new_input(local: Local) -> None:
    _, made = await local.call("POST", "/conversations", {"items": [HELLO]})
    status, answer = await local.call("POST", "/responses", {"model": "m", "conversation": made["id"]})

    assert (status, said(answer)[:6]) == (200, "Hello!")


async def test_what_failed_was_never_said(local: Local) -> None:
    conversation_id = await conversation_with(local, "Hello")
    response = await create(local, "fail", conversation=conversation_id)

    assert response["status"] == "failed"
    assert len(await conversation_items(local, conversation_id)) == 2


async def test_what_was_cut_short_was_said(local: Local) -> None:
    conversation_id = await conversation_with(local, "stop short")

    assert [item["status"] for item in await conversation_items(local, conversation_id)] == [
        "completed",
        "incomplete",
    ]


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/conversations/conv_x", 404, "Conversation with id 'conv_x' not found."),
        ("/conversations/conv_x/items", 404, "Conversation with id 'conv_x' not found."),
        ("/conversations/{conversation}/items/msg_x", 404, "Item with id 'msg_x' not found."),
        ("/conversations/{conversation}/items?after=msg_x", 404, "No item found with id 'msg_x'."),
        (
            "/conversations/undefined",
            400,
            "Invalid 'conversation_id': 'undefined'. Expected an ID that begins with 'conv'.",
        ),
    ],
)
async def test_what_is_not_there_is_told(local: Local, path: str, status: int, message: str) -> None:
    conversation_id = await conversation_with(local, "Hello")
    got, answer = await local.call("GET", path.replace("{conversation}", conversation_id))

    assert (got, answer["error"]["message"]) == (status, message)


async def test_no_more_than_twenty_items_come_at_once(local: Local) -> None:
    statuses = [(await local.call("POST", "/conversations", {"items": [HELLO] * n}))[0] for n in (20, 21)]

    assert statuses == [200, 400]


async def test_a_full_conversation_takes_no_more(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(token_delay=0, max_messages=3))
    conversation_id = await conversation_with(local, "Hello")
    path = f"/conversations/{conversation_id}/items"
    statuses = [(await local.call("POST", path, {"items": [HELLO]}))[0] for _ in range(2)]
    status, error = await refused(local, asking("Hello", conversation=conversation_id))

    assert statuses == [200, 400]
    assert (status, error["message"]) == (400, "A conversation can hold at most 3 items.")


async def test_a_conversation_takes_in_no_more_bytes_than_there_is_room_for(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(token_delay=0, max_thread_bytes=2_000))
    conversation_id = await conversation_with(local, "Hello")
    status, error = await refused(local, asking("x" * 2_000, conversation=conversation_id))

    assert (status, error["message"]) == (400, "A conversation can hold at most 2000 bytes.")


async def test_the_oldest_conversations_go_when_there_is_no_room(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(token_delay=0, max_threads=2))
    made = [await conversation_with(local) for _ in range(3)]
    statuses = [(await local.call("GET", f"/conversations/{one}"))[0] for one in made]

    assert statuses == [404, 200, 200]
