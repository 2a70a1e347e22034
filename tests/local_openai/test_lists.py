"""Lists in pages; what is created, modified and deleted; what goes when there is no room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_chat_proxy.local_openai import LocalOptions
from deep_chat_proxy.local_openai.paging import Query, page
from local_openai.wire import Local, StartLocal, ids, thread_and_run

pytestmark = pytest.mark.filterwarnings(
    "ignore:The Assistants API is deprecated:DeprecationWarning", "ignore:deprecated:DeprecationWarning"
)


async def test_the_sdk_pages_through_all_messages(local: Local) -> None:
    messages = [{"role": "user", "content": str(number)} for number in range(7)]
    _, thread = await local.call("POST", "/threads", {"messages": messages})
    pages = local.client.beta.threads.messages.list(thread["id"], limit=3, order="asc")

    texts = [part.text.value async for message in pages for part in message.content if part.type == "text"]
    assert texts == list("0123456")


async def test_a_page_has_first_and_last_id_and_says_whether_more_follow(local: Local) -> None:
    messages = [{"role": "user", "content": str(number)} for number in range(3)]
    _, thread = await local.call("POST", "/threads", {"messages": messages})
    path = f"/threads/{thread['id']}/messages"
    _, newest = await local.call("GET", f"{path}?limit=2")
    _, oldest = await local.call("GET", f"{path}?limit=2&after={newest['last_id']}")
    _, back = await local.call("GET", f"{path}?limit=2&before={oldest['first_id']}")

    assert [one["content"][0]["text"]["value"] for one in newest["data"]] == ["2", "1"]
    assert (newest["first_id"], newest["has_more"]) == (newest["data"][0]["id"], True)
    assert [one["content"][0]["text"]["value"] for one in oldest["data"]] == ["0"]
    assert (oldest["first_id"], oldest["last_id"], oldest["has_more"]) == (oldest["data"][0]["id"],) * 2 + (
        False,
    )
    assert back["data"] == newest["data"]


@given(st.lists(st.integers(), unique=True, max_size=30), st.integers(1, 10), st.booleans())
def test_pages_put_together_are_the_list_in_both_directions(
    items: list[int], limit: int, descending: bool
) -> None:
    ordered = items[::-1] if descending else items
    for back in (False, True):
        cursor, found, more = None, list[int](), True
        while more:
            asked = Query(limit, descending, None if back else cursor, cursor if back else None)
            chosen, more = page(items, asked, what="item", id_of=str)
            if back and cursor is None:
                # Without a cursor a page is the first one, so paging back begins at the last item.
                cursor, found, more = (str(ordered[-1]), ordered[-1:], True) if ordered else (None, [], False)
                continue
            found = chosen + found if back else found + chosen
            cursor = str(chosen[0 if back else -1]) if chosen else cursor
        assert found == ordered


async def test_an_assistant_is_created_modified_listed_and_deleted(local: Local) -> None:
    assistants = local.client.beta.assistants
    made = await assistants.create(model="local-1", name="Mine", tools=[{"type": "code_interpreter"}])
    modified = await assistants.update(made.id, description="changed")
    listed = [one.id async for one in assistants.list(order="asc")]
    deleted = await assistants.delete(made.id)

    assert (modified.name, modified.description) == ("Mine", "changed")
    assert listed == ["asst_local", made.id]
    assert (deleted.deleted, deleted.object) == (True, "assistant.deleted")
    assert list(local.state.assistants) == ["asst_local"]


async def test_a_thread_is_modified_and_deleted(local: Local) -> None:
    threads = local.client.beta.threads
    made = await threads.create(metadata={"a": "1"})
    modified = await threads.update(made.id, metadata={"b": "2"})
    deleted = await threads.delete(made.id)

    assert (made.metadata, modified.metadata) == ({"a": "1"}, {"b": "2"})
    assert (deleted.object, local.state.threads) == ("thread.deleted", {})


async def test_a_message_is_modified_and_deleted(local: Local) -> None:
    threads = local.client.beta.threads
    thread = await threads.create()
    made = await threads.messages.create(thread.id, role="user", content="Hello")
    modified = await threads.messages.update(made.id, thread_id=thread.id, metadata={"a": "1"})
    again = await threads.messages.retrieve(made.id, thread_id=thread.id)
    deleted = await threads.messages.delete(made.id, thread_id=thread.id)

    assert (modified.metadata, again) == ({"a": "1"}, modified)
    assert (deleted.object, local.state.threads[thread.id].messages) == ("thread.message.deleted", {})


async def test_files_are_listed_by_purpose(local: Local) -> None:
    for purpose in ("vision", "assistants"):
        await local.client.files.create(file=(f"{purpose}.txt", b"x"), purpose=purpose)

    listed = [file.filename async for file in local.client.files.list(purpose="vision")]
    assert listed == ["vision.txt"]


async def test_the_model_is_there(local: Local) -> None:
    listed = [model.id async for model in local.client.models.list()]
    model = await local.client.models.retrieve("local-1")

    assert (listed, model.id) == (["local-1"], "local-1")
    assert (await local.call("GET", "/models/gpt-none"))[0] == 404


async def test_the_oldest_threads_go_and_their_runs_end(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(max_threads=2, token_delay=0))
    _, run = await local.call("POST", "/threads/runs", thread_and_run("hang"))
    kept = local.state.threads[run["thread_id"]].runs[run["id"]]
    made = [(await local.call("POST", "/threads", {}))[1]["id"] for _ in range(2)]

    assert list(local.state.threads) == made
    assert kept.task is not None
    assert kept.task.cancelled()


async def test_of_ended_runs_the_oldest_go(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(max_messages=2, token_delay=0))
    thread_id, first = ids(await local.ask("say nothing"))
    later = [
        ids(await local.stream(f"/threads/{thread_id}/runs", {"assistant_id": "asst_local"}))[1]
        for _ in range(2)
    ]

    assert first not in local.state.threads[thread_id].runs
    assert list(local.state.threads[thread_id].runs) == later


async def test_the_oldest_threads_go_when_all_together_took_in_too_much(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(max_thread_bytes=1_500))
    body = {"metadata": {"a": "x" * 400}}
    made = [(await local.call("POST", "/threads", body))[1]["id"] for _ in range(4)]
    status, _ = await local.call(
        "POST", f"/threads/{made[3]}/messages", {"role": "user", "content": "x" * 1_400}
    )

    assert status == 400
    assert list(local.state.threads) == made[1:]
