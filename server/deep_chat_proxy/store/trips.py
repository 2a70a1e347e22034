"""The thread of a store: work goes there as it is asked for, and one after the other."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

_Work = tuple[Callable[[], Any], asyncio.Future[Any]]
_Outcome = tuple[asyncio.Future[Any], Any, BaseException | None]


class Trips:
    """Does work on a thread of its own for one event loop. What waits there goes in one trip: the thread is woken once
    for all of it, and so is the loop for all that came of it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: SimpleQueue[_Work | None] = SimpleQueue()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    def do(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Have `work` done behind all that was asked for before; it is done also where nobody waits for it any more.

        Raises RuntimeError behind `end`, as nobody would ever hear of it.
        """
        if self._ended:
            raise RuntimeError("the store is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._waiting.put((work, future))
        return future

    def end(self) -> None:
        """Have the thread end behind all that was asked for before."""
        self._ended = True
        self._waiting.put(None)

    def _run(self) -> None:
        asked = self._waiting.get()
        while asked is not None:
            # What comes meanwhile goes in the next trip, or else whoever came first would wait for all who come later.
            more = self._waiting.qsize()
            outcomes = [_outcome(asked)]
            for _ in range(more):
                if (asked := self._waiting.get()) is None:
                    break
                outcomes.append(_outcome(asked))
            self._tell(outcomes)
            if asked is not None:
                asked = self._waiting.get()

    def _tell(self, outcomes: Sequence[_Outcome]) -> None:
        # Of a loop that has ended nobody waits.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_set, outcomes)


def _outcome(asked: _Work) -> _Outcome:
    work, future = asked
    try:
        return future, work(), None
    except BaseException as fault:  # noqa: BLE001 - it is for whoever asked
        return future, None, fault


def _set(outcomes: Sequence[_Outcome]) -> None:
    for future, result, fault in outcomes:
        if future.done():
            continue
        if fault is None:
            future.set_result(result)
        else:
            future.set_exception(fault)
