"""A process that another one has made of itself, and looks after."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from typing import Self

END = (signal.SIGTERM, signal.SIGINT)
"""What a process is told to end with."""

Work = Callable[[socket.socket], int]


class Child:
    """A process under way; what it says of itself, such as where it listens, comes through `channel`."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self.channel = channel
        self.silent = True
        """Whether it has said nothing yet."""
        self._born = time.monotonic()

    @classmethod
    def start(cls, work: Work, inherited: Iterable[socket.socket]) -> Self:
        """Have a new process do `work`, which is given the end of a channel that closes with its parent, and ends with
        the status that this returns. `inherited` are sockets that are none of its business.
        """
        ours, theirs = socket.socketpair()
        # What is sent to the child before it has its own means of ending must not end up with those of its parent.
        signal.pthread_sigmask(signal.SIG_BLOCK, END)
        try:
            pid = os.fork()
            if pid == 0:
                _be(work, theirs, [ours, *inherited])
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, END)
        theirs.close()
        ours.setblocking(False)
        return cls(pid, ours)

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._born

    def hear(self) -> str:
        """What it says now, "" for nothing."""
        try:
            said = self.channel.recv(4096).decode()
        except OSError:
            return ""
        self.silent = self.silent and not said
        return said

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal; one that has ended is still there for that."""
        os.kill(self.pid, number)

    def ended(self) -> int | None:
        """The exit status, or minus the signal that it died of; None while it lives. Asked no more after that."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return None
        self.channel.close()
        return os.waitstatus_to_exitcode(status)


def _be(work: Work, channel: socket.socket, inherited: Iterable[socket.socket]) -> None:
    """Be the child; never returns."""
    status = 1
    try:
        # Ctrl-C in a terminal reaches the parent alone, which passes it on once.
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, END)
        for each in inherited:
            each.close()
        status = work(channel)
    except BaseException:  # noqa: BLE001 - nothing may get to the parent's code
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
