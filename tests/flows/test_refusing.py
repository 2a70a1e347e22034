"""A back end that says no, wherever in a turn: its visitor is told so, and the thread goes on."""

import json
from itertools import product

import pytest

from flows.faults import Refuse
from flows.scenes import WEATHER, Harm, Outcome, Scene, wrong
from flows.server import DIALECTS

IN_A_MINUTE = Refuse(429, {"Retry-After": "60"})
BUSY = json.dumps({"error": {"message": "Busy.", "code": "server_is_overloaded"}}).encode()
# How a back end says no, and whether it goes on with that.
NO = [
    (Refuse(500), False),
    (Refuse(500), True),
    (Refuse(503), True),
    (Refuse(429), True),
    (IN_A_MINUTE, False),
]
# These say that nothing was taken in, so that the request is made again.
NOT_NOW = [
    Refuse(429),
    Refuse(429, {"Retry-After": "0.05"}),
    Refuse(503, {"Retry-After": "0"}, BUSY),
]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_back_end_that_refuses_at_any_step_is_told_of_and_the_thread_goes_on(dialect: str) -> None:
    scenes: list[tuple[Scene, Harm]] = []
    for follow, later in (("stream", False), ("stream", True), ("poll", True)):
        steps = await Scene(dialect, follow, later).steps()
        for step, (refusal, lasting) in product(steps, NO):
            # Of three, so that it goes with the others in all combinations.
            scene = Scene(dialect, follow, later, stream=len(scenes) % 3 > 0)
            scenes.append((scene, Harm(refusal, step, lasting)))

    assert await wrong(scenes) == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_refusal_that_passes_is_not_noticed_wherever_it_comes(dialect: str) -> None:
    scenes = [
        (Scene(dialect, later=later), Harm(refusal, step))
        for later in (False, True)
        for step in await Scene(dialect, later=later).steps()
        for refusal in NOT_NOW
    ]

    assert await wrong(scenes, lambda outcome: outcome.answer.text == WEATHER) == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_how_long_a_back_end_wants_to_be_left_alone_is_told_to_the_page(dialect: str) -> None:
    def told(outcome: Outcome) -> bool:
        answer = outcome.answer
        return (answer.status, answer.headers.get("Retry-After")) == (429, "60")

    scenes = [
        (Scene(dialect, later=later, stream=False), Harm(IN_A_MINUTE, step, lasting=True))
        for later in (False, True)
        for step in await Scene(dialect, later=later).steps()
    ]

    assert await wrong(scenes, told) == []
