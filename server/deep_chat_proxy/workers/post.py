"""What a process is there for: one after the other holds the post, as those before it die."""

import signal
import socket
import time
from collections.abc import Iterable

from deep_chat_proxy.workers.child import Child, Work

# One that lived for so many seconds did not die of how it was started.
_STEADY = 10.0
# Between a death and the next start, in seconds: doubled with each death in a row, of which so many are too many.
_PAUSE = 0.1
_MOST_DEATHS = 5


class Post:
    """`child` holds it now, if any does; at `due_at`, a time of the monotonic clock, another one is to be started.
    `said` is where the last one that came so far listens.
    """

    def __init__(self, name: str, work: Work) -> None:
        self.name = name
        self.child: Child | None = None
        self.due_at: float | None = None
        self.said = ""
        self._work = work
        self._deaths = 0

    def start(self, inherited: Iterable[socket.socket]) -> Child:
        """Start a process for it; `inherited` as in `Child.start`."""
        self.due_at = None
        self.child = Child.start(self._work, inherited)
        return self.child

    def look(self) -> int | None:
        """Take notice of what has become of its process: the exit status where it has just ended."""
        if self.child is None:
            return None
        self.said = self.child.hear() or self.said
        status = self.child.ended()
        if status is not None:
            self._deaths = 1 if self.child.age >= _STEADY else self._deaths + 1
            self.child = None
        return status

    def renew(self) -> bool:
        """Have another process be started after a pause; False where they die one after the other."""
        self.due_at = time.monotonic() + _PAUSE * 2 ** (self._deaths - 1)
        return self._deaths < _MOST_DEATHS

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to its process, if there is one."""
        if self.child is not None:
            self.child.tell(number)
