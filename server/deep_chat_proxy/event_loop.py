"""Which event loop the process runs on: uvloop where it is installed, which carries the same streams at less cost."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeVar

T = TypeVar("T")

LoopName = Literal["auto", "asyncio", "uvloop"]


def loop_factory(wanted: LoopName) -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the loop; `auto` is uvloop where that can be had. Raises ImportError for `uvloop` where it cannot."""
    if wanted == "asyncio":
        return asyncio.new_event_loop
    try:
        import uvloop  # noqa: PLC0415 - an extra, and slow to load
    except ImportError:
        if wanted == "uvloop":
            raise
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def run(work: Coroutine[Any, Any, T], wanted: LoopName) -> T:
    """The result of `work`, on a loop of its own."""
    with asyncio.Runner(loop_factory=loop_factory(wanted)) as runner:
        return runner.run(work)
