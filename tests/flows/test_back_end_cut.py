"""The connection to the back end breaks, at any request and behind any event: the visitor has the whole answer, and
nothing was said or done twice.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from flows.between import between
from flows.faults import Cut, Events, Fault, Moment, Reset
from flows.scenes import Step
from flows.server import DIALECTS

WAYS: list[tuple[str, dict[str, Any]]] = [
    *((dialect, {}) for dialect in DIALECTS),
    ("assistants", {"follow": "poll"}),
    ("responses", {"follow": "poll"}),
    ("responses", {"thread_state": "chain"}),
    ("responses", {"thread_state": "history"}),
    ("chat", {"follow": "poll"}),
]


def breaks(step: Step) -> Iterator[Fault]:
    """Everywhere where a connection can break."""
    yield Cut(Moment.BEFORE)
    yield Reset(Moment.DONE)
    for event in range(step.events + 1):
        yield (Cut, Reset)[event % 2](Events(event))


@pytest.mark.parametrize(("dialect", "chosen"), WAYS)
async def test_an_answer_is_whole_wherever_the_back_ends_connection_breaks(
    dialect: str, chosen: dict[str, Any]
) -> None:
    wrong, played = [], 0
    async with between(dialect, **chosen) as site:
        expected = await site.outcome()
        assert expected.ran == ("Paris in celsius", "Rome in celsius")
        assert "**Rome**: 21 degrees" in expected.text
        assert "3 messages of yours" in expected.counted
        for step in await site.steps():
            for fault in breaks(step):
                played += 1
                if (outcome := await site.outcome(fault, step)) != expected:
                    wrong.append((fault, step, outcome))
    assert wrong == []
    assert played > 6
