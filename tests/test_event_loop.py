"""Which loop the process runs on, and the tests."""

import asyncio
import sys
from unittest.mock import patch

import pytest

from chosen_loop import CHOSEN_LOOP
from deep_chat_proxy.event_loop import loop_factory, run


async def running() -> str:
    """The package that the running loop is of."""
    return type(asyncio.get_running_loop()).__module__.split(".")[0]


def test_uvloop_is_taken_where_it_is_installed() -> None:
    assert run(running(), "auto") == "uvloop"
    assert run(running(), "uvloop") == "uvloop"


def test_asyncio_can_be_asked_for() -> None:
    assert run(running(), "asyncio") == "asyncio"


def test_without_uvloop_there_is_asyncio() -> None:
    with patch.dict(sys.modules, {"uvloop": None}):
        assert loop_factory("auto") is asyncio.new_event_loop
        with pytest.raises(ImportError):
            loop_factory("uvloop")


async def test_tests_run_on_the_loop_that_was_chosen() -> None:
    assert await running() == CHOSEN_LOOP
