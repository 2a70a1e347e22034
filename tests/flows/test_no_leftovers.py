"""Turns leave nothing behind, however their visitors leave."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

# They take a good minute; LEAK_CHECK_TURNS sets another number for all.
TURNS = {"assistants": "10000", "responses": "2500", "chat": "2500"}


@pytest.mark.parametrize("dialect", TURNS)
async def test_turns_with_random_disconnects_leave_no_task_connection_file_or_run_behind(
    dialect: str,
) -> None:
    """In a process of its own, in which warnings are errors and nothing else may hold sockets or memory."""
    turns = os.environ.get("LEAK_CHECK_TURNS", TURNS[dialect])
    command = [sys.executable, "-W", "error", "-m", "flows.leak_check", turns, dialect]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=Path(__file__).parents[1],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(60 + int(turns) / 20):
            told, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        raise

    assert process.returncode == 0, told.decode()
