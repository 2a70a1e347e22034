"""The proxy as it always runs, but for a look at what it does every few milliseconds of its CPU time.

    python -m bench.profiled profile.json --port 8080

The signal comes with CPU time, so waiting is not seen, and what runs in C counts for the Python function that called it
or, where the loop did, for the one that it calls next.
"""

import atexit
import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType

from deep_chat_proxy.cli import main

# Seconds of CPU time between two looks; no divisor of what happens regularly.
_EVERY = 0.00197
_DEEPEST = 60
# What a stack is called that is not the loop's: that of a thread, of which the signal shows nothing.
THREADS = "threads"

Stack = tuple[tuple[str, str], ...]


class Looks:
    """How often each stack was seen: (file, function) of each frame, the innermost first."""

    def __init__(self) -> None:
        self._stacks: Counter[Stack] = Counter()
        self._used = time.thread_time()

    def look(self, _: int, frame: FrameType | None) -> None:
        """Note what runs now; as a signal handler."""
        used = time.thread_time()
        # The signal comes to this thread, whichever has used the time.
        idle = used - self._used < _EVERY / 2
        self._used = used
        stack = [(THREADS, "")] if idle else []
        while frame is not None and not idle and len(stack) < _DEEPEST:
            stack.append((frame.f_code.co_filename, frame.f_code.co_qualname))
            frame = frame.f_back
        self._stacks[tuple(stack)] += 1

    def write(self, file: Path) -> None:
        """Stop looking, and write what was seen."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        told = [{"stack": stack, "seen": seen} for stack, seen in self._stacks.items()]
        file.write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    looks = Looks()
    atexit.register(looks.write, Path(sys.argv[1]))
    signal.signal(signal.SIGPROF, looks.look)
    signal.setitimer(signal.ITIMER_PROF, _EVERY, _EVERY)
    sys.exit(main(sys.argv[2:]))
