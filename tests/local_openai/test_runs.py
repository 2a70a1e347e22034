"""Runs with the official SDK as the client: polled, streamed, and what they say."""

import asyncio

import pytest
from openai import AsyncAssistantEventHandler
from openai.types.beta import AssistantStreamEvent
from openai.types.beta.threads import Message, Text, TextDelta
from typing_extensions import override

from local_openai.wire import Local, ids, last, names, said, thread_and_run

pytestmark = pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning")
TEXT_RUN = [
    "thread.created",
    "thread.run.created",
    "thread.run.queued",
    "thread.run.in_progress",
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.run.step.completed",
    "thread.run.completed",
    "done",
]


class Collector(AsyncAssistantEventHandler):
    """Keeps what the SDK's streaming helper reports."""

    def __init__(self) -> None:
        super().__init__()
        self.deltas: list[str] = []
        self.texts: list[str] = []
        self.events: list[str] = []

    @override
    async def on_event(self, event: AssistantStreamEvent) -> None:
        self.events.append(event.event)

    @override
    async def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        self.deltas.append(delta.value or "")

    @override
    async def on_message_done(self, message: Message) -> None:
        self.texts += [part.text.value for part in message.content if part.type == "text"]


async def test_a_polled_run_completes_and_its_message_stands_in_the_thread(local: Local) -> None:
    threads = local.client.beta.threads
    thread = await threads.create(messages=[{"role": "user", "content": "Hello"}])
    async with asyncio.timeout(10):
        run = await threads.runs.create_and_poll(thread_id=thread.id, assistant_id="asst_local")
    messages = await threads.messages.list(thread.id, run_id=run.id)

    assert run.status == "completed"
    assert run.usage is not None
    assert run.completed_at is not None
    assert [message.role for message in messages.data] == ["assistant"]
    part = messages.data[0].content[0]
    assert part.type == "text"
    assert part.text.value.startswith("Hello!")


async def test_the_sdks_event_handler_sees_the_deltas_and_the_whole_message(local: Local) -> None:
    thread = await local.client.beta.threads.create(messages=[{"role": "user", "content": "show markdown"}])
    collector = Collector()
    async with (
        asyncio.timeout(10),
        local.client.beta.threads.runs.stream(
            thread_id=thread.id, assistant_id="asst_local", event_handler=collector
        ) as stream,
    ):
        await stream.until_done()

    assert len(collector.deltas) > 10
    assert ["".join(collector.deltas)] == collector.texts
    assert "| --- |" in collector.texts[0]
    assert "```python" in collector.texts[0]
    assert collector.events[-1] == "thread.run.completed"


async def test_a_streamed_text_run_has_the_events_of_openai_in_their_order(local: Local) -> None:
    events = await local.ask("Hello")

    assert names(events) == TEXT_RUN
    message = last(events, "thread.message.completed")
    assert message["content"][0]["text"]["value"] == said(events)
    assert message["run_id"] == last(events, "thread.run.completed")["id"]


async def test_a_thread_goes_on_over_runs(local: Local) -> None:
    thread_id, _ = ids(await local.ask("My name is Ada"))
    await local.call(
        "POST", f"/threads/{thread_id}/messages", {"role": "user", "content": "What is my name?"}
    )
    runs = f"/threads/{thread_id}/runs"
    second = await local.stream(runs, {"assistant_id": "asst_local"})
    question = {"role": "user", "content": "What did I say first, and how many messages?"}
    third = await local.stream(runs, {"assistant_id": "asst_local", "additional_messages": [question]})

    assert said(second) == "Your name is Ada."
    assert "My name is Ada" in said(third)


async def test_the_settings_of_a_run_come_before_those_of_its_assistant_and_are_shown_in_it(
    local: Local,
) -> None:
    _, first = await local.call("POST", "/threads", {})
    settings = {
        "assistant_id": "asst_local",
        "model": "gpt-other",
        "instructions": "Be brief.",
        "additional_instructions": "Be kind.",
        "additional_messages": [{"role": "user", "content": "What are your instructions?"}],
        "tools": [],
        "tool_choice": "none",
        "parallel_tool_calls": False,
        "max_completion_tokens": 300,
        "max_prompt_tokens": 400,
        "temperature": 0.5,
        "top_p": 0.7,
        "truncation_strategy": {"type": "last_messages", "last_messages": 3},
        "response_format": {"type": "text"},
        "metadata": {"a": "b"},
    }
    events = await local.stream(f"/threads/{first['id']}/runs", settings)

    run = last(events, "thread.run.completed")
    echoed = {name: run[name] for name in settings if name in run and name != "instructions"}
    assert echoed == {name: settings[name] for name in echoed}
    assert len(echoed) == 12
    assert run["instructions"] == "Be brief. Be kind."
    assert "Be brief. Be kind." in said(events)


async def test_steps_can_be_listed_and_retrieved(local: Local) -> None:
    thread_id, run_id = ids(await local.ask("make a csv"))
    path = f"/threads/{thread_id}/runs/{run_id}/steps"
    _, steps = await local.call("GET", f"{path}?order=asc")
    _, step = await local.call("GET", f"{path}/{steps['data'][0]['id']}")

    assert [one["type"] for one in steps["data"]] == ["tool_calls", "message_creation"]
    assert step == steps["data"][0]
    interpreter = step["step_details"]["tool_calls"][0]["code_interpreter"]
    assert interpreter["input"].startswith("import csv")
    assert interpreter["outputs"] == [{"type": "logs", "logs": "5 rows\n"}]


async def test_a_run_is_seen_in_progress_while_it_goes_on_and_then_completes(local: Local) -> None:
    status, run = await local.call("POST", "/threads/runs", thread_and_run("slowly count to 2"))

    assert (status, run["status"]) == (200, "queued")
    seen = await local.until_status(run["thread_id"], run["id"], "in_progress")
    assert seen["started_at"] is not None
    assert [one.id for one in local.state.active_runs()] == [run["id"]]
    ended = await local.until_status(run["thread_id"], run["id"], "completed")
    assert ended["expires_at"] is None
    assert local.state.active_runs() == []


async def test_a_streamed_run_goes_on_when_its_client_leaves(local: Local) -> None:
    async with asyncio.timeout(10):
        async with local.http.post(
            f"{local.base_url}/threads/runs", json={**thread_and_run("slowly count to 3"), "stream": True}
        ) as response:
            while b"thread.message.delta" not in await response.content.readline():
                pass
        (run,) = local.state.active_runs()
    await local.until_status(run.thread_id, run.id, "completed")

    message = list(local.state.threads[run.thread_id].messages.values())[-1]
    assert message.status == "completed"


async def test_a_run_can_be_modified_and_listed(local: Local) -> None:
    thread_id, run_id = ids(await local.ask("Hello"))
    _, modified = await local.call(
        "POST", f"/threads/{thread_id}/runs/{run_id}", {"metadata": {"seen": "yes"}}
    )
    _, runs = await local.call("GET", f"/threads/{thread_id}/runs")

    assert modified["metadata"] == {"seen": "yes"}
    assert runs["data"] == [modified]
