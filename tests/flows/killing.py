"""The command, killed at a chosen write to its store: `python -m flows.killing PLAN …` instead of `deep-chat-proxy …`.

The file PLAN holds "<n> before" or "<n> after": the n-th write since it was made is the last thing that happens before
SIGKILL, or would have been. The writes are counted in the file `PLAN.seen`, one letter each.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deep_chat_proxy.cli import main
from deep_chat_proxy.store.database import Database


def is_due(plan: Path) -> tuple[bool, str]:
    """Whether the next write is the one that is planned, and when it is to happen."""
    if not plan.exists():
        return False, ""
    at, when = plan.read_text().split()
    seen = plan.with_suffix(".seen")
    with seen.open("a") as counted:
        counted.write("w")
    return int(at) == seen.stat().st_size, when


def die_by(plan: Path) -> None:
    """Have every write to a store look at the plan."""
    write = Database.write

    async def watched(self: Database, work: Callable[[Any], Any]) -> Any:
        due, when = await asyncio.to_thread(is_due, plan)
        if due and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = await write(self, work)
        if due and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    Database.write = watched  # type: ignore[method-assign]


if __name__ == "__main__":
    die_by(Path(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
