"""Where workers count together, so that whichever of them is asked for its figures tells those of all."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deep_chat_proxy.settings import Settings

# As prometheus_client names it, which looks for it when it is loaded: by the workers.
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def counted_together(settings: Settings) -> Iterator[Callable[[int], None]]:
    """Have the processes that are started meanwhile count together, where figures are wanted; yields what to call with
    the id of one that has died, which had nothing under way then. Raises OSError.
    """
    if settings.metrics != "on":
        yield lambda _: None
        return
    before = os.environ.get(_FOLDER)
    with tempfile.TemporaryDirectory(prefix="deep-chat-figures-") as folder:
        os.environ[_FOLDER] = folder
        try:
            yield _forget
        finally:
            if before is None:
                del os.environ[_FOLDER]
            else:
                os.environ[_FOLDER] = before


def _forget(pid: int) -> None:
    # Loaded only now: what looks after workers does not count anything itself.
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415

    mark_process_dead(pid)  # type: ignore[no-untyped-call]
