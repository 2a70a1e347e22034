"""What is measured: one axis at a time from the centre, and every dialect in both forms."""

from collections.abc import Sequence
from dataclasses import replace

from bench.loops import Loop
from bench.measure import Case
from bench.servers import Server, has_workers

CENTRE = Case()
_BESIDE: tuple[Server, ...] = ("direct", "proxy", "copying", "nginx")
# How long a run goes on that is asked for, in seconds.
_POLLED = 10.0


def quick() -> list[Case]:
    """The centre, with as many streams as a minute has room for."""
    centre = replace(CENTRE, streams=300)
    return [
        *_of(centre, _BESIDE),
        # It has reached what it can do long before.
        replace(centre, server="sdk", streams=100, at_once=100),
    ]


def full() -> list[Case]:
    """All of it, in the order in which it is told."""
    return [*_centre(), *_streams(), *_paces(), *_dialects(), *_others()]


def _of(case: Case, servers: Sequence[Server]) -> list[Case]:
    return [replace(case, server=server) for server in servers]


def _centre() -> list[Case]:
    other: Loop = "asyncio" if CENTRE.loop == "uvloop" else "uvloop"
    return [*_of(CENTRE, (*_BESIDE, "sdk")), replace(CENTRE, server="copying", loop=other)]


def _streams() -> list[Case]:
    thousand = replace(CENTRE, at_once=1000, streams=2000)
    two_thousand = replace(CENTRE, at_once=2000, streams=2000, pace=0.1, spread=2 / 3)
    return [
        *_of(replace(CENTRE, at_once=1, streams=4), _BESIDE),
        *_of(replace(CENTRE, at_once=100, streams=300), (*_BESIDE, "sdk")),
        *_of(thousand, _BESIDE),
        *_of(two_thousand, _BESIDE),
    ]


def _paces() -> list[Case]:
    return [
        *_of(replace(CENTRE, pace=0.0, streams=1500), _BESIDE),
        *_of(replace(CENTRE, pace=0.005, streams=1200), _BESIDE),
        *_of(replace(CENTRE, pace=0.05, streams=450), _BESIDE),
    ]


def _dialects() -> list[Case]:
    streamed = [replace(CENTRE, dialect="responses"), replace(CENTRE, dialect="chat")]
    objects = [replace(case, form="object", streams=600) for case in (CENTRE, *streamed)]
    return [*(each for case in streamed for each in _of(case, ("direct", "proxy", "copying"))), *objects]


def _others() -> list[Case]:
    polled = replace(
        CENTRE, form="object", polled=True, at_once=100, streams=100, pace=_POLLED / CENTRE.tokens, spread=0.3
    )
    most = replace(CENTRE, pace=0.0, streams=1500)
    return [polled, *([replace(most, workers=2)] if has_workers() else [])]
