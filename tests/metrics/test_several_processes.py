"""Several processes count together, whichever of them is asked."""

import asyncio
import sys
from pathlib import Path

from flows.process import environment_with
from flows.visitor import WAIT

# Counts one turn as a process of its own, and tells what all have counted so far.
COUNTING = """
import asyncio, sys
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from deep_chat_proxy.metrics import Figures, setup_metrics
from deep_chat_proxy.turn.observer import Tally, TurnOutcome

async def told(app):
    async with TestClient(TestServer(app)) as client, client.get("/metrics") as response:
        return await response.text()

figures = Figures()
app = web.Application()
setup_metrics(app, figures)
figures.turn_began(1, 100)
figures.turn_began(0, 0)
figures.turn_ended(TurnOutcome("completed", "", 1.0, 0.5, Tally(1, 0, 11, 7)))
sys.stdout.write(asyncio.run(told(app)))
"""


async def counted(folder: Path) -> list[str]:
    """What a new process tells, after its own turns."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", COUNTING),
        cwd=folder,
        env=environment_with(PROMETHEUS_MULTIPROC_DIR=str(folder)),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(WAIT):
        told, _ = await process.communicate()
    assert process.returncode == 0
    return told.decode().splitlines()


async def test_processes_count_together_and_what_is_under_way_ends_with_its_process(tmp_path: Path) -> None:
    await counted(tmp_path)
    lines = await counted(tmp_path)

    assert 'deep_chat_turns_total{ended="completed",problem=""} 2.0' in lines
    assert 'deep_chat_tokens_total{direction="in"} 22.0' in lines
    assert "deep_chat_file_bytes_taken_total 200.0" in lines
    assert "deep_chat_turn_seconds_count 2.0" in lines
    assert "deep_chat_turns_under_way 1.0" in lines
