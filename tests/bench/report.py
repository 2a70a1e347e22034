"""What was measured, told as tables and as JSON. Ratios come first: they are what holds on another machine too."""

import json
import os
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.cases import CENTRE
from bench.measure import BUSY, Case, Figures
from bench.processes import BESIDE, SERVING

_NUMBER = re.compile(r"[-+.,!% 0-9]*")
_NAMES = {
    "direct": "nothing between",
    "proxy": "Deep Chat proxy",
    "copying": "aiohttp, copying bytes",
    "nginx": "nginx, copying bytes",
    "sdk": "FastAPI + openai SDK",
}


def name(case: Case) -> str:
    """A server as a reader knows it."""
    how: list[str] = [case.loop] if case.server in {"proxy", "copying"} else []
    how += [f"{case.workers} workers"] if case.workers > 1 else []
    how += ["polled"] if case.polled else []
    return _NAMES[case.server] + (f" ({', '.join(how)})" if how else "")


def where(case: Case) -> str:
    """What visitors and back end do in a case."""
    pace = f"{case.pace * 1000:.0f} ms" if case.pace else "unpaced"
    form = "SSE" if case.form == "stream" else "JSON"
    return f"{case.at_once:,} streams, {pace}, {case.dialect}, {form}"


def _point(case: Case) -> tuple[object, ...]:
    """What cases have in common that are compared with each other."""
    return case.at_once, case.pace, case.dialect


class Results:
    """All figures of a run, found by their cases."""

    def __init__(self, figures: Iterable[Figures]) -> None:
        self.figures = list(figures)

    def beside(self, figures: Figures, server: str) -> Figures | None:
        """What was measured at the same point with another server, on the same loop if it has one."""
        found = [
            each
            for each in self.figures
            if each.case.server == server
            and _point(each.case) == _point(figures.case)
            and not each.case.polled
        ]
        return next((each for each in found if each.case.loop == figures.case.loop), next(iter(found), None))

    def added(self, figures: Figures) -> tuple[float, float] | None:
        """What a server adds to the time to the first token: median and 99th percentile, in seconds."""
        direct = self.beside(figures, "direct")
        if direct is None or figures.case.form != "stream" or figures.case.server == "direct":
            return None
        return figures.first[0] - direct.first[0], figures.first[1] - direct.first[1]

    def ratios(self) -> list[tuple[Figures, Figures, float]]:
        """The proxy beside each other server, at each point: CPU per stream as a part of the other's."""
        return [
            (proxy, other, proxy.cpu / other.cpu)
            for proxy in self.figures
            if proxy.case.server == "proxy" and proxy.case.form == "stream" and proxy.case.workers == 1
            for other in self.figures
            if other.case.server in {"copying", "nginx", "sdk"} and self._compared(proxy.case, other.case)
        ]

    def _compared(self, proxy: Case, other: Case) -> bool:
        if _point(proxy) == _point(other):
            return True
        # The SDK is measured with fewer streams where there is little time.
        alone = not any(each.case.server == "sdk" and each.case != other for each in self.figures)
        return other.server == "sdk" and alone and _point(proxy) == _point(CENTRE)


def _beside(proxy: Case, other: Case) -> str:
    return name(other) + (f" at {other.at_once} streams" if other.at_once != proxy.at_once else "")


def tables(results: Results) -> str:
    """Everything as text."""
    return "\n\n".join(part for part in (_ratios(results), _figures(results), _notes(results)) if part)


def _ratios(results: Results) -> str:
    rows = [
        [where(proxy.case), name(proxy.case), _beside(proxy.case, other.case), f"{ratio:.2f}"]
        for proxy, other, ratio in results.ratios()
    ]
    return table(["CPU of a stream as a part of the other's", "", "beside", "ratio"], rows) if rows else ""


_COLUMNS = [
    "",
    "server",
    "CPU ms/stream",
    "us/token",
    "first token, added ms p50",
    "p99",
    "longest gap ms p99",
    "streams/s",
    "KiB/stream",
    "failed",
    "cores",
    "back end + load",
]


def _figures(results: Results) -> str:
    return table(_COLUMNS, [_row(results, each) for each in results.figures])


def _row(results: Results, figures: Figures) -> list[str]:
    case, added = figures.case, results.added(figures)
    served = case.server != "direct"
    first = [f"{seconds * 1000:.1f}" for seconds in added] if added else ["", ""]
    busy = "!" if figures.beside_is_busy else ""
    return [
        where(case),
        name(case),
        f"{figures.cpu * 1000:.2f}" if served else "",
        f"{figures.per_token * 1e6:.1f}" if served else "",
        *first,
        f"{figures.gaps[1] * 1000:.0f}" if case.form == "stream" and case.pace else "",
        f"{figures.rate:.1f}",
        f"{figures.stream_memory / 1024:.1f}" if served else "",
        str(sum(figures.failed.values())),
        f"{figures.cores:.2f}" if served else "",
        f"{figures.back_end_cpu:.2f} + {figures.load_cpu:.2f}{busy}",
    ]


_LEGEND = """\
CPU: of the serving process. First token, added: what the time to the first token is longer than with nothing between, \
median and 99th percentile each beside its own, where that was measured. Longest gap: between two reads of a visitor. \
KiB/stream: memory over that of the idle process for each open stream. Cores: what serving used, and beside it what back \
end and load used of theirs."""


def _notes(results: Results) -> str:
    notes = [_LEGEND]
    notes += [
        f"{where(each.case)}, {name(each.case)}: {reason} ({count})"
        for each in results.figures
        for reason, count in each.failed.items()
    ]
    if any(each.beside_is_busy for each in results.figures):
        notes.append(
            f"!: back end and load used more than {BUSY} of a core, so they may be what was measured"
        )
    notes += [
        f"{name(each.case)}, runs of {each.case.length:.0f} s: {each.requests:.1f} requests to the back end each,"
        f" answers {(each.whole[0] - each.case.length) * 1000:.0f} ms behind their end (p99"
        f" {(each.whole[1] - each.case.length) * 1000:.0f} ms)"
        for each in results.figures
        if each.case.polled
    ]
    return "\n".join(notes)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown that can be read as it is."""
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    numbers = [all(_NUMBER.fullmatch(row[at]) for row in rows) for at in range(len(head))]

    def line(row: Sequence[str]) -> str:
        cells = zip(row, widths, numbers, strict=True)
        return (
            "| "
            + " | ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in cells)
            + " |"
        )

    rule = ["-" * (width - 1) + (":" if right else "-") for width, right in zip(widths, numbers, strict=True)]
    return "\n".join([line(head), line(rule), *map(line, rows)])


def machine() -> dict[str, object]:
    """What it was measured on."""
    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    models = {line.partition(":")[2].strip() for line in cpu.splitlines() if line.startswith("model name")}
    return {
        "cpu": ", ".join(sorted(models)),
        "cores": os.cpu_count(),
        "serving_on": SERVING,
        "back_end_and_load_on": BESIDE,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
    }


def as_json(results: Results, **more: object) -> str:
    """Everything as JSON; times in seconds, memory in bytes."""
    ratios: list[dict[str, Any]] = [
        {"where": where(proxy.case), "beside": _beside(proxy.case, other.case), "cpu": round(ratio, 3)}
        for proxy, other, ratio in results.ratios()
    ]
    figures = [
        {"name": name(each.case), "where": where(each.case), **asdict(each), "added": results.added(each)}
        for each in results.figures
    ]
    told = {"machine": machine(), **more, "centre": where(CENTRE), "ratios": ratios, "figures": figures}
    return json.dumps(told, indent=1)
