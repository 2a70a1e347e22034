"""The contract: a turn whose process dies, wherever it was, is picked up and comes to what it would have come to."""

import random
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest

from deep_chat_proxy.turn.events import Completed, ToolCall, ToolOutput
from deep_chat_proxy.turn.transcript import CallsMade, Entry, OutputsGiven
from upstream.contract.cases import Case
from upstream.contract.dying import Life, picked_up
from upstream.contract.talk import Make, Talk

TEXT = "weather in Paris then in Rome"
# Steps of a turn are some dozens; one that has more than these never ends.
_MOST_STEPS = 400


def nameless(entries: Iterable[Entry]) -> list[Entry]:
    """Entries without the ids of their calls, which the back end makes up."""
    found: list[Entry] = []
    for entry in entries:
        if isinstance(entry, CallsMade):
            calls = tuple(ToolCall("", call.name, call.arguments) for call in entry.calls)
            found.append(CallsMade(calls, entry.text))
        elif isinstance(entry, OutputsGiven):
            outputs = tuple(ToolOutput("", output.output, output.ok) for output in entry.outputs)
            found.append(OutputsGiven(outputs))
        else:
            found.append(entry)
    return found


_MADE_UP = frozenset({"id", "call_id", "status", "logprobs", "annotations"})


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in _MADE_UP}


async def held(talk: Talk) -> Any:
    """What the back end has of a thread, and what we have of it."""
    memory = await talk.store.memory(talk.thread.thread_id, "next", 1_000_000)
    ours = nameless(memory.entries)
    if memory.anchor is None:
        return ours
    upstream_id = memory.anchor.upstream_id
    if upstream_id in talk.state.threads:
        thread = talk.state.threads[upstream_id]
        said = [(message.role, msgspec.to_builtins(message.content)) for message in thread.messages.values()]
        return ours, said, [kept.run.status for kept in thread.runs.values()]
    conversation = talk.state.conversations.get(upstream_id)
    if conversation is not None:
        return ours, [_plain(item) for item in conversation.items.values()]
    response = talk.state.responses.get(upstream_id)
    if response is None:
        # Some give ids to responses that they do not keep.
        return ours
    assert memory.covered == len(memory.entries)
    return ours, [_plain(item) for item in response.history()]


async def prepared(talk: Talk, before: str) -> Talk:
    """A thread on which this was said before."""
    another = await talk.another()
    if before:
        await another.say(before)
    return another


async def wherever_it_dies(
    case: Case, talk: Talk, before: str, check: Callable[[int, Talk, list[Life]], Any], **options: Any
) -> None:
    """Have a process die at each step of the turn, and see what whoever picks it up makes of it."""
    for step in range(1, _MOST_STEPS):
        dying = await prepared(talk, before)
        lives = await picked_up(case, dying, dying.opened(TEXT), step, **options)
        await check(step, dying, lives)
        if not lives[0].fate.dead:
            return
    raise AssertionError("the turn never ends")


@pytest.mark.parametrize("before", ["", "my name is Ada"], ids=["first message", "later message"])
async def test_a_turn_that_is_picked_up_comes_to_what_it_would_have_come_to(
    make: Make, case: Case, before: str
) -> None:
    talk = await make(case)
    undisturbed = await prepared(talk, before)
    (whole,) = await picked_up(case, undisturbed, undisturbed.opened(TEXT))
    expected = whole.log.text, await held(undisturbed)
    assert whole.log.end == Completed()

    async def check(step: int, dying: Talk, lives: list[Life]) -> None:
        ended = await lives[-1].turns.last(dying.thread.thread_id, 60)
        assert ended is not None
        assert (step, ended.text, ended.end) == (step, whole.log.text, Completed())
        assert (step, (ended.text, await held(dying))) == (step, expected)
        assert talk.active() == [], step

    await wherever_it_dies(case, talk, before, check)


async def test_no_tool_is_run_twice_wherever_its_process_died(make: Make, case: Case) -> None:
    talk = await make(case)

    async def check(step: int, dying: Talk, lives: list[Life]) -> None:
        calls = [call.arguments for life in lives for call in life.tools.calls]
        assert (step, len(calls)) == (step, len(set(calls)))
        ended = await lives[-1].turns.last(dying.thread.thread_id, 60)
        assert ended is not None
        assert (step, ended.end) == (step, Completed())
        # What became of it nobody may know, but the conversation goes on.
        count = await dying.say("how many messages?")
        assert "2 messages of yours" in count.text, step

    await wherever_it_dies(case, talk, "", check, may_be_repeated=False)


async def test_a_turn_is_picked_up_however_many_processes_die_of_it(make: Make, case: Case) -> None:
    talk = await make(case)
    undisturbed = await prepared(talk, "")
    (whole,) = await picked_up(case, undisturbed, undisturbed.opened(TEXT))
    expected = whole.log.text, await held(undisturbed)
    chance = random.Random(case.name)
    for _ in range(15):
        deaths = [chance.randint(4, whole.fate.steps) for _ in range(chance.randint(2, 6))]
        dying = await prepared(talk, "")
        lives = await picked_up(case, dying, dying.opened(TEXT), *deaths)
        ended = await lives[-1].turns.last(dying.thread.thread_id, 60)

        assert ended is not None
        assert (deaths, (ended.text, await held(dying))) == (deaths, expected)


async def test_a_file_is_read_though_the_process_died_that_it_was_sent_to(make: Make, case: Case) -> None:
    talk = await make(case)
    for step in range(1, _MOST_STEPS):
        dying = await prepared(talk, "")
        before = len(talk.state.files)
        file = dying.file("a.txt", f"Grüße {step}".encode(), "text/plain")
        lives = await picked_up(case, dying, dying.opened("what is in this file?", file), step)
        ended = await lives[-1].turns.last(dying.thread.thread_id, 60)

        assert ended is not None
        assert f"Grüße {step}" in ended.text
        # One that died before it could write down that it had uploaded the file leaves it there.
        assert len(talk.state.files) - before <= 2
        assert not file.path.exists()
        if not lives[0].fate.dead:
            return
