"""Turns that their back end lets fail leave nothing behind, however it does."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

# With those before which nothing is measured they are 5000; TROUBLE_CHECK_TURNS sets another number for all.
TURNS = {"assistants": "1000", "responses": "1400", "chat": "1700"}


@pytest.mark.parametrize("dialect", TURNS)
async def test_turns_that_fail_leave_no_turn_task_connection_or_memory_behind(dialect: str) -> None:
    """In a process of its own, in which warnings are errors and nothing else may hold sockets or memory."""
    turns = os.environ.get("TROUBLE_CHECK_TURNS", TURNS[dialect])
    command = [sys.executable, "-W", "error", "-m", "flows.trouble_check", turns, dialect]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=Path(__file__).parents[1],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(60 + int(turns) / 5):
            told, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        raise

    assert process.returncode == 0, told.decode()
