"""Processes on cores of their own, and what the system says they used."""

import fcntl
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

TESTS = Path(__file__).parent.parent
SERVER = TESTS.parent / "server"
_CORES = sorted(os.sched_getaffinity(0))
SERVING = _CORES[:1]
BESIDE = _CORES[1:] or _CORES
EVERY = _CORES
# Of the clock of another process's CPU time, in the id that Linux makes of both.
_CPU_CLOCK = 2
_WAIT = 30.0
_NICE = -15


def raise_open_files(wanted: int) -> int:
    """Have this process and those that it starts open `wanted` files, or as many as is allowed; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return soft
    with suppress(ValueError, OSError):
        # Only who may do everything raises the hard limit.
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
        return wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    return min(wanted, hard)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What processes of the benchmark find: our modules, and nothing of settings that are set here."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("DEEP_CHAT_", "OPENAI_"))
    }
    return {**kept, "PYTHONPATH": f"{SERVER}{os.pathsep}{TESTS}", "PYTHONUNBUFFERED": "1", **(more or {})}


def here(cores: Sequence[int], command: Sequence[str]) -> list[str]:
    """The command that runs another on `cores`."""
    return ["taskset", "--cpu-list", ",".join(map(str, cores)), *command]


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module."""
    return [sys.executable, "-m", module, *arguments]


@contextmanager
def running(
    command: Sequence[str],
    *,
    cores: Sequence[int],
    log: Path,
    port: int,
    env: Mapping[str, str] | None = None,
) -> Iterator[int]:
    """Run a server on `cores`, in the folder of its `log`; yields its process id once it listens on `port`. Raises
    RuntimeError with its log where it does not.
    """
    with (
        log.open("wb") as out,
        subprocess.Popen(  # noqa: S603 - commands of this folder
            here(cores, command),
            env=environment(env),
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            _await_port(process, port, log)
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(_WAIT)
            except subprocess.TimeoutExpired:
                process.kill()


def _await_port(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    end = time.monotonic() + _WAIT
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not listen:\n{log.read_text(errors='replace')[-2000:]}")


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for member in found:
        for task in Path(f"/proc/{member}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """CPU time that a process and its descendants have used, in all their threads, also those that have ended."""
    return sum(time.clock_gettime((~member << 3) | _CPU_CLOCK) for member in family(pid))


def memory(pid: int) -> int:
    """Bytes that a process and its descendants hold, shared ones counted in parts."""
    return sum(_proportional(member) for member in family(pid)) * 1024


def _proportional(pid: int) -> int:
    rolled_up = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in rolled_up if line.startswith("Pss:"))


@contextmanager
def first_in_line() -> Iterator[bool]:
    """Have this process and those that it starts go before others, so that what else runs here disturbs less; yields False
    where that is not allowed.
    """
    # Where Linux shares its time among sessions rather than processes, only this makes one session go before another.
    session = Path("/proc/self/autogroup")
    try:
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
        if session.exists():
            session.write_text(str(_NICE))
    except PermissionError:
        yield False
        return
    try:
        yield True
    finally:
        if session.exists():
            session.write_text("0")


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other benchmark runs on this machine, and keep others from it."""
    with (Path(tempfile.gettempdir()) / "deep-chat-proxy-bench.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write("another benchmark runs; waiting for its end …\n")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
