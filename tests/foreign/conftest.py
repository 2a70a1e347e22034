"""aimock for all tests of the folder, and for each a fresh proxy before it."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator

import pytest

from foreign.aimock import PROGRAM, running
from foreign.talk import CASES, Case, Talk, talking


def _missing(what: str) -> None:
    """Skip on a desk; in CI a skipped test would look like a passed one."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def aimock() -> Iterator[str]:
    """Its address."""
    node = shutil.which("node")
    if node is None:
        _missing("no Node is installed")
    elif not PROGRAM.is_file():
        _missing("aimock is not installed: run `npm ci` in tests/foreign/")
    else:
        with running(node) as url:
            yield url


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    """Each of them, one after the other."""
    found: Case = request.param
    return found


@pytest.fixture
async def talk(aimock: str, case: Case, request: pytest.FixtureRequest) -> AsyncIterator[Talk]:
    """A conversation in this case."""
    async with talking(aimock, case, request.node.nodeid) as talk:
        yield talk
