"""Fixtures that every test stands on: warnings are errors (pyproject), and so are blocking calls."""

import os
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import settings
from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks
from xdist.scheduler import LoadScopeScheduling

from chosen_loop import CHOSEN_LOOP
from deep_chat_proxy.event_loop import loop_factory

# How long an example takes says how busy the machine is, not whether it is right.
settings.register_profile("untimed", deadline=None, max_examples=int(os.environ.get("EXAMPLES", "100")))
settings.load_profile("untimed")

# Those that are found by loading packages are loaded on the loop, at the first call that is repeated.
set_on_retry_hooks([LoggingOnRetryHook])


# Where tests run side by side, those of one name run one after the other in one process: those with a browser, so that
# there are only two of it, and those that look at a process to which nothing else should happen.
_IN_A_ROW = {
    "tests/page/test_history.py": "page, conversations",
    "tests/page/test_resume.py": "page, conversations",
    "tests/page/test_stop.py": "page, conversations",
    "tests/page/test_threads.py": "page, conversations",
    "tests/page/": "page, all else",
    "tests/flows/test_no_leftovers.py": "leftovers",
    "tests/flows/test_trouble_leaves_nothing.py": "leftovers",
}


class _SideBySide(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """As xdist's loadgroup, which marks tests in a way that pytest 9.2 no longer takes notice of."""

    def _split_scope(self, nodeid: str) -> str:
        return next((name for start, name in _IN_A_ROW.items() if nodeid.startswith(start)), nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """How tests go to processes, where there are several."""
    return _SideBySide(config, log)


def pytest_asyncio_loop_factories(
    config: pytest.Config,  # noqa: ARG001 - pytest calls hooks by these names
    item: pytest.Item,  # noqa: ARG001
) -> Mapping[str, Callable[[], AbstractEventLoop]]:
    """The loop that tests run on, as servers that they start do."""
    return {CHOSEN_LOOP: loop_factory(CHOSEN_LOOP)}


@pytest.fixture(autouse=True)
def no_blocking_calls() -> Iterator[BlockBuster]:
    """A blocking call on the event loop raises BlockingError, as it would stall every stream."""
    with blockbuster_ctx("deep_chat_proxy") as blockbuster:
        yield blockbuster
