"""One measurement: a back end, a server in front of it, visitors, and what all of them used."""

import json
import statistics
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.request import urlopen

from bench.answers import Dialect, answer
from bench.back_end import COUNT
from bench.back_end import Settings as BackEnd
from bench.load import Job, Seen
from bench.loops import Loop
from bench.processes import BESIDE, cpu_seconds, environment, free_port, here, memory, python, running
from bench.servers import Form, Server, Serving, Setup, proxy_loop, serving

# Seconds between two looks at the memory.
_SAMPLE = 0.25
# Parts of a core; where back end and load use more of theirs, they may be what is measured.
BUSY = 0.9
_LOOP = proxy_loop()

Percentiles = tuple[float, float]
"""The median and the 99th percentile."""


@dataclass(frozen=True)
class Case:
    """One point of the plan: `streams` in all, `at_once` of them open; `pace` in seconds between two tokens. The first
    ones begin within `spread` of the time that a stream takes. `warm` streams come before, which are not measured.
    """

    server: Server = "proxy"
    at_once: int = 300
    pace: float = 0.02
    dialect: Dialect = "assistants"
    form: Form = "stream"
    streams: int = 900
    tokens: int = 150
    loop: Loop = _LOOP
    workers: int = 1
    polled: bool = False
    spread: float = 1.0
    warm: int = 50

    @property
    def length(self) -> float:
        """How long the back end takes for one stream, in seconds."""
        return self.pace * self.tokens


@dataclass(frozen=True)
class Figures:
    """What was measured. Times in seconds, memory in bytes. `cpu` is that of the serving processes for each stream that
    ended, `cores` how many they used; `back_end_cpu` and `load_cpu` are parts of a core. `reads` and `requests` are for
    each stream: what a visitor read, and what the back end was asked.
    """

    case: Case
    ended: int
    failed: dict[str, int]
    most_open: int
    seconds: float
    reads: float
    requests: float
    cpu: float
    cores: float
    back_end_cpu: float
    load_cpu: float
    first: Percentiles
    gaps: Percentiles
    whole: Percentiles
    idle_memory: int
    stream_memory: float

    @property
    def per_token(self) -> float:
        """CPU per token."""
        return self.cpu / self.case.tokens

    @property
    def rate(self) -> float:
        """Streams a second."""
        return self.ended / self.seconds

    @property
    def beside_is_busy(self) -> bool:
        """Whether back end and load may be what was measured, and not the server."""
        return self.case.server != "direct" and self.back_end_cpu + self.load_cpu > BUSY


def measure(case: Case, settings: Mapping[str, str] | None = None, profile: Path | None = None) -> Figures:
    """Measure one case, in processes that run only for it; with more `settings` of the proxy, and with the file where a
    `profile` of it goes.

    Raises RuntimeError where one of them does not start.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        port = free_port()
        told = BackEnd(case.dialect, port, case.pace, case.tokens, _warm(case))
        command = python("bench.back_end", json.dumps(vars(told)))
        setup = Setup(
            case.server,
            case.dialect,
            folder,
            form=case.form,
            loop=case.loop,
            workers=case.workers,
            polled=case.polled,
            settings=settings or {},
            profile=profile,
        )
        with (
            running(command, cores=BESIDE, log=folder / "back_end.log", port=port) as back_end,
            serving(setup, port) as server,
        ):
            return _measured(case, server, _Used(server.pid, back_end, port))


class _Used:
    """What the processes have used since the last `reset`."""

    def __init__(self, server: int | None, back_end: int, port: int) -> None:
        self._server = server
        self._back_end = back_end
        self._port = port
        self.reset()

    def reset(self) -> None:
        """Count from now."""
        self._from = self._now()

    def since(self) -> tuple[float, float, int]:
        """Seconds of CPU of server and back end, and requests to that."""
        server, back_end, requests = (now - then for now, then in zip(self._now(), self._from, strict=True))
        return server, back_end, int(requests)

    def _now(self) -> tuple[float, float, int]:
        server = cpu_seconds(self._server) if self._server else 0.0
        with urlopen(f"http://127.0.0.1:{self._port}{COUNT.decode()}") as said:
            requests = int(said.read())
        return server, cpu_seconds(self._back_end), requests


def _measured(case: Case, server: Serving, used: _Used) -> Figures:
    job = Job(
        port=server.port,
        request=server.request,
        kind=server.kind,
        text=answer(case.dialect, case.tokens).text,
        streams=case.streams,
        at_once=case.at_once,
        spread=max(case.length * case.spread, 0.2),
        deadline=60 + 10 * case.length * case.streams / case.at_once,
    )
    if warm := _warm(case):
        _visit(replace(job, streams=warm, at_once=min(warm, 10), spread=0.0), None)
    idle = memory(server.pid) if server.pid else 0
    used.reset()
    seen, most = _visit(job, server.pid)
    cpu, back_end_cpu, requests = used.since()
    return Figures(
        case=case,
        ended=seen.ended,
        failed=seen.failed,
        most_open=seen.most_open,
        seconds=seen.seconds,
        reads=seen.reads / case.streams,
        requests=requests / case.streams,
        cpu=cpu / max(seen.ended, 1),
        cores=cpu / seen.seconds,
        back_end_cpu=back_end_cpu / seen.seconds,
        load_cpu=seen.cpu / seen.seconds,
        first=_percentiles(seen.first),
        gaps=_percentiles(seen.gaps),
        whole=_percentiles(seen.whole),
        idle_memory=idle,
        stream_memory=max(most - idle, 0) / max(seen.most_open, 1),
    )


def _warm(case: Case) -> int:
    # Runs that are asked for have no pace to be without.
    return 0 if case.polled else min(case.warm, case.streams)


def _visit(job: Job, pid: int | None) -> tuple[Seen, int]:
    """Run the load; returns what it saw and the most memory that the server held meanwhile."""
    most = 0
    command = here(BESIDE, python("bench.load"))
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as told:
        json.dump(vars(job), said)
        said.seek(0)
        with subprocess.Popen(command, env=environment(), stdin=said, stdout=told) as load:  # noqa: S603 - ours
            try:
                while load.poll() is None:
                    with suppress(subprocess.TimeoutExpired):
                        load.wait(_SAMPLE)
                    most = max(most, memory(pid) if pid else 0)
            except BaseException:
                load.kill()
                raise
        if load.returncode:
            raise RuntimeError("the load generator failed")
        told.seek(0)
        return Seen(**json.load(told)), most


def _percentiles(values: Sequence[float]) -> Percentiles:
    """Both are 0 where there are no values."""
    if len(values) < 2:
        return (values[0], values[0]) if values else (0.0, 0.0)
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[98]
