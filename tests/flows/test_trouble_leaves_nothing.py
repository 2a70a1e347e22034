"""Turns that their back end lets fail leave nothing behind, however it does."""

import asyncio
import os
import sys
from pathlib import Path

# With those before which nothing is measured they are 5000; TROUBLE_CHECK_TURNS sets another number for each.
TURNS = {"assistants": "1000", "responses": "1200", "chat": "1900"}
# Seconds; it takes a fifth of that on a machine with two processors that does nothing else.
LONGEST = 600


async def complaint(dialect: str) -> str:
    """What the check says where something is left.

    In a process of its own, in which warnings are errors and nothing else may hold sockets or memory.
    """
    turns = os.environ.get("TROUBLE_CHECK_TURNS", TURNS[dialect])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "flows.trouble_check", turns, dialect),
        cwd=Path(__file__).parents[1],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return f"{dialect}: {told.decode()}" if process.returncode else ""


async def test_turns_that_fail_leave_no_turn_task_connection_or_memory_behind() -> None:
    async with asyncio.timeout(LONGEST):
        complaints = await asyncio.gather(*(complaint(dialect) for dialect in TURNS))

    assert not any(complaints), "\n".join(complaints)
