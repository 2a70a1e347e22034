"""The contract: a turn whose process dies, wherever it was, is picked up and comes to what it would have come to."""

from collections.abc import Callable, Iterable
from typing import Any

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
    ours = nameless(memory.entries), memory.covered
    if memory.anchor is None:
        return ours
    upstream_id = memory.anchor.upstream_id
    if upstream_id in talk.state.threads:
        thread = talk.state.threads[upstream_id]
        said = [(message.role, str(message.content[0].text)) for message in thread.messages.values()]
        return ours, said, [kept.run.status for kept in thread.runs.values()]
    conversation = talk.state.conversations.get(upstream_id)
    if conversation is not None:
        return ours, [_plain(item) for item in conversation.items.values()]
    response = talk.state.responses.get(upstream_id)
    # Some give ids to responses that they do not keep.
    return ours, [_plain(item) for item in response.history()] if response is not None else []


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
    whole = await undisturbed.say(TEXT)
    expected = whole.text, await held(undisturbed)
    assert whole.end == Completed()

    async def check(step: int, dying: Talk, lives: list[Life]) -> None:
        ended = await lives[-1].turns.last(dying.thread.thread_id, 60)
        assert ended is not None
        assert (step, ended.text, ended.end) == (step, whole.text, Completed())
        assert (step, (ended.text, await held(dying))) == (step, expected)
        assert talk.active() == [], step

    await wherever_it_dies(case, talk, before, check)
