"""Fixtures that every test stands on: warnings are errors (pyproject), and so are blocking calls."""

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import settings

# How long an example takes says how busy the machine is, not whether it is right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def no_blocking_calls() -> Iterator[BlockBuster]:
    """A blocking call on the event loop raises BlockingError, as it would stall every stream."""
    with blockbuster_ctx("deep_chat_proxy") as blockbuster:
        yield blockbuster
