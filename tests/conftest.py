"""Fixtures that every test stands on: warnings are errors (pyproject), and so are blocking calls."""

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import settings

# How long an example takes says how busy the machine is, not whether it is right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


# Those that need a browser, or a machine that is not busy with others of their kind, run one after the other.
_ALONE = (
    "tests/page/",
    "tests/flows/test_no_leftovers.py",
    "tests/flows/test_trouble_leaves_nothing.py",
)


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run side by side, keep these in one process."""
    for item in items:
        if item.nodeid.startswith(_ALONE):
            item.add_marker(pytest.mark.xdist_group("alone"))


@pytest.fixture(autouse=True)
def no_blocking_calls() -> Iterator[BlockBuster]:
    """A blocking call on the event loop raises BlockingError, as it would stall every stream."""
    with blockbuster_ctx("deep_chat_proxy") as blockbuster:
        yield blockbuster
