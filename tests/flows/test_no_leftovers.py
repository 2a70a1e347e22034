"""Turns leave nothing behind, however their visitors leave."""

import asyncio
import os
import sys
from pathlib import Path

# They take a good minute; LEAK_CHECK_TURNS sets another number.
TURNS = os.environ.get("LEAK_CHECK_TURNS", "10000")
SECONDS = 60 + int(TURNS) / 20


async def test_turns_with_random_disconnects_leave_no_task_connection_file_or_run_behind() -> None:
    """In a process of its own, in which warnings are errors and nothing else may hold sockets or memory."""
    command = [sys.executable, "-W", "error", "-m", "flows.leak_check", TURNS]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=Path(__file__).parents[1],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(SECONDS):
            told, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        raise

    assert process.returncode == 0, told.decode()
