"""The event loop that a process of the benchmark runs on."""

import asyncio
from collections.abc import Callable, Coroutine
from importlib.util import find_spec
from typing import Any, Literal

Loop = Literal["asyncio", "uvloop"]


def fastest() -> Loop:
    """The loop that is the faster one of those that are there."""
    return "uvloop" if find_spec("uvloop") else "asyncio"


def run_on(loop: Loop, main: Coroutine[Any, Any, None]) -> None:
    """Run `main` on that loop until it ends or the process is told to."""
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.SelectorEventLoop
    if loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


def run_fast(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` on the fastest loop."""
    run_on(fastest(), main)
