"""A back end that falls silent, wherever in a turn: its visitor is told in time, and the thread goes on."""

from itertools import product

import pytest

from flows.faults import Events, Moment, Stall
from flows.scenes import Harm, Scene, wrong
from flows.server import DIALECTS

# In these a back end names what it has made.
_FIRST_EVENTS = 5


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_back_end_that_hangs_at_any_step_keeps_nobody_waiting(dialect: str) -> None:
    """Before it has taken a request in, or after; in one, or in all from there on, the cancelling of a run too."""
    scenes: list[tuple[Scene, Harm]] = []
    for follow, later in (("stream", False), ("stream", True), ("poll", True)):
        steps = await Scene(dialect, follow, later).steps()
        for step, moment, lasting in product(steps, Moment, (True, False)):
            # Of three, so that it goes with the others in all combinations.
            stream = len(scenes) % 3 > 0
            scenes.append((Scene(dialect, follow, later, stream), Harm(Stall(moment), step, lasting)))

    assert await wrong(scenes) == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_stream_that_hangs_after_any_event_keeps_nobody_waiting(dialect: str) -> None:
    scenes = [
        (Scene(dialect, later=later, stream=count % 3 > 0), Harm(Stall(Events(count)), step))
        for later in (True, False)
        for step in await Scene(dialect, later=later).steps()
        if step.events
        for count in range(step.events + 1 if later else _FIRST_EVENTS)
    ]

    assert len(scenes) > 40
    assert await wrong(scenes) == []
