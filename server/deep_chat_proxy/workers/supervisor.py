"""The process that looks after the workers: makes what there must be once, starts them, and starts those anew that die.

It serves nobody itself, so that there is little that it could die of.
"""

import logging
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from msgspec.structs import replace

from deep_chat_proxy.logs import setup_logs
from deep_chat_proxy.serving import announce, tell_of_back_end
from deep_chat_proxy.settings import Settings
from deep_chat_proxy.store.database import make_store
from deep_chat_proxy.store.secret import kept_secret
from deep_chat_proxy.workers.address import reserved
from deep_chat_proxy.workers.child import END, Child
from deep_chat_proxy.workers.figures import counted_together
from deep_chat_proxy.workers.post import Post
from deep_chat_proxy.workers.work import be_local_openai, serve_as

logger = logging.getLogger("deep_chat_proxy.workers")

# Beyond the time that workers have to end; seconds.
_LATE = 2.0

Outcome = Callable[[Callable[[], int | None]], int]


def serve_with_workers(settings: Settings, outcome: Outcome) -> int:
    """Serve with `settings.workers` processes until SIGINT or SIGTERM; returns the exit status. `outcome` does what a
    process is for, tells what went wrong with it, and returns its status.

    Raises OSError where the address, the store or the secret cannot be had.
    """
    setup_logs(settings.log_level)
    path = settings.store_path
    if path is None:
        raise ValueError("workers share a store in a file")
    make_store(str(path))
    if not settings.secrets:
        kept_secret(path)
    with ExitStack() as held:
        port = held.enter_context(reserved(settings.host, settings.port))
        settings = replace(settings, port=port)
        tell_of_back_end(settings)
        helper, local_openai = None, None
        if settings.back_end == "local":
            # One for all of them: each one's own would not know the threads of the others'.
            listening = held.enter_context(socket.create_server(("127.0.0.1", 0)))
            local_openai = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
            be = partial(be_local_openai, settings, listening)
            helper = Post("the local OpenAI", lambda channel: outcome(partial(be, channel)))

        def worker(number: int) -> Post:
            serve = partial(serve_as, number, settings, local_openai)
            return Post(f"worker {number}", lambda channel: outcome(partial(serve, channel)))

        workers = [worker(number) for number in range(1, settings.workers + 1)]
        died = held.enter_context(counted_together(settings))
        return _Supervisor(workers, helper, settings.shutdown + _LATE, died).run()


class _Supervisor:
    """Looks after workers, and a helper that they need."""

    def __init__(
        self, workers: list[Post], helper: Post | None, patience: float, died: Callable[[int], None]
    ) -> None:
        self._workers = workers
        self._helper = helper
        self._posts = workers if helper is None else [helper, *workers]
        self._patience = patience
        self._died = died
        self._announced = False
        self._status: int | None = None
        """What to end with; None while nothing is to end."""
        self._end_by = 0.0

    def run(self) -> int:
        """Work until all of them have ended; returns the exit status."""
        with _signals() as news:
            # What keeps workers from starting keeps the first one, and is told once.
            for post in self._posts[: len(self._posts) - len(self._workers) + 1]:
                post.due_at = time.monotonic()
            while self._status is None or self._living():
                if self._status is None:
                    self._start_what_is_due()
                self._wait(news)
                for post in self._posts:
                    self._look_at(post)
                if self._status is None:
                    self._go_on()
                else:
                    self._see_to_the_end()
        return self._status

    def _living(self) -> list[Child]:
        return [post.child for post in self._posts if post.child is not None]

    def _start_what_is_due(self) -> None:
        for post in self._posts:
            if post.due_at is not None and post.due_at <= time.monotonic():
                child = post.start([other.channel for other in self._living()])
                logger.info("%s is process %d", post.name, child.pid)

    def _wait(self, news: socket.socket) -> None:
        """Wait until a process has said something or ended, a signal has come, or something is due."""
        channels = [child.channel for child in self._living() if child.silent]
        times = [post.due_at for post in self._posts if post.due_at is not None]
        if self._status is not None:
            times = [self._end_by]
        left = max(0.0, min(times) - time.monotonic()) if times else None
        readable, _, _ = select.select([news, *channels], [], [], left)
        if news in readable and any(number in END for number in news.recv(4096)):
            self._end(0)

    def _end(self, status: int) -> None:
        """Tell the workers to end; once more where somebody insists on it."""
        if self._status is None:
            self._status = status
            self._end_by = time.monotonic() + self._patience
        for worker in self._workers:
            worker.tell(signal.SIGTERM)

    def _look_at(self, post: Post) -> None:
        child, status = post.child, post.look()
        if child is None or status is None:
            return
        self._died(child.pid)
        if self._status is not None:
            self._status = max(self._status, status)
        elif post in self._workers and not any(worker.said for worker in self._workers):
            self._end(max(1, status))
        elif post.renew():
            logger.warning("%s has ended (%s), another one is started", post.name, _in_words(status))
        else:
            logger.error("%s ends as soon as it is started (%s), so all end", post.name, _in_words(status))
            self._end(1)

    def _go_on(self) -> None:
        """Where one worker serves, the others can; where all do, the address is told."""
        first, *others = self._workers
        if first.said and not self._announced:
            for worker in others:
                if worker.child is None and worker.due_at is None:
                    worker.due_at = time.monotonic()
            if all(worker.said for worker in others):
                announce(first.said)
                self._announced = True

    def _see_to_the_end(self) -> None:
        """The helper ends behind the workers, and those that do not end are killed."""
        if self._helper is not None and not any(worker.child for worker in self._workers):
            self._helper.tell(signal.SIGTERM)
        if time.monotonic() >= self._end_by:
            logger.error("processes that do not come to their end are ended")
            self._status = max(self._status or 0, 1)
            self._end_by += _LATE
            for post in self._posts:
                post.tell(signal.SIGKILL)


def _in_words(status: int) -> str:
    return f"status {status}" if status >= 0 else signal.Signals(-status).name


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """A socket through which the numbers of signals come: those that say to end, and that a child has ended."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        numbers = (*END, signal.SIGCHLD)
        handlers = [(number, signal.signal(number, lambda *_: None)) for number in numbers]
        try:
            yield ours
        finally:
            for number, handler in handlers:
                signal.signal(number, handler)
            signal.set_wakeup_fd(before)
