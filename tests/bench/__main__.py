"""The benchmark: `.dev/bench`, or `python -m bench`."""

import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import get_args

from bench.arguments import Arguments, arguments
from bench.cases import CENTRE, full, quick
from bench.measure import Case, Figures, measure
from bench.processes import alone, first_in_line, raise_open_files
from bench.profile import profile
from bench.report import Results, as_json, name, tables, where
from bench.servers import Server, missing

# Two for each stream, at the back end for each that is open, and some beside.
_OPEN_FILES = 16384


def main() -> int:
    """Run the benchmark; returns the exit status: 1 where a stream failed, 2 where nothing can be measured."""
    asked = arguments()
    # Whoever ends it has what it started end too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with alone(), first_in_line() as first:
            return _profiled(asked.settings) if asked.profile else _run(asked, first=first)
    except KeyboardInterrupt:
        _say("interrupted")
        return 128 + signal.SIGINT
    except RuntimeError as fault:
        _say(str(fault))
        return 2


def _run(asked: Arguments, *, first: bool) -> int:
    planned = quick() if asked.quick else full()
    cases = _possible(case for case in planned if case.server in asked.servers)
    if not cases:
        return 2
    results = Results(_measured(cases, asked.settings))
    print(f"\n{tables(results)}\n")
    told = as_json(
        results,
        settings=asked.settings,
        before_others=first,
        quick=asked.quick,
        made=time.strftime("%Y-%m-%d"),
    )
    (asked.out / "bench.json").write_text(told, encoding="utf-8")
    _plot(results, asked.out / "bench.svg")
    _say(f"written: {asked.out}/bench.json and bench.svg")
    return 1 if any(each.failed for each in results.figures) else 0


def _possible(cases: Iterable[Case]) -> list[Case]:
    """The cases that can be measured here; says which cannot."""
    cases = list(cases)
    for server in get_args(Server):
        if any(case.server == server for case in cases) and (reason := missing(server)):
            _say(f"{reason}: it is left out")
            cases = [case for case in cases if case.server != server]
    files = raise_open_files(_OPEN_FILES)
    for case in cases:
        if 2 * case.at_once > files - 100:
            _say(f"{where(case)}, {name(case)}: left out, as only {files} files may be open (ulimit -n)")
    return [case for case in cases if 2 * case.at_once <= files - 100]


def _measured(cases: list[Case], settings: Mapping[str, str]) -> Iterator[Figures]:
    for at, case in enumerate(cases, 1):
        figures = measure(case, settings)
        cpu = f", {figures.cpu * 1000:.2f} ms of CPU a stream" if case.server != "direct" else ""
        failed = f", {sum(figures.failed.values())} failed" if figures.failed else ""
        _say(f"{at}/{len(cases)} {where(case)}, {name(case)}: {figures.rate:.1f} streams/s{cpu}{failed}")
        yield figures


def _profiled(settings: Mapping[str, str]) -> int:
    raise_open_files(_OPEN_FILES)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "profile.json"
        figures = measure(CENTRE, settings, profile=file)
        _say(
            f"{where(CENTRE)}, {name(CENTRE)}: {figures.cpu * 1000:.2f} ms of CPU a stream, with the profile"
        )
        print(profile(file))
    return 0


def _plot(results: Results, file: Path) -> None:
    with suppress(ImportError):
        from bench.plot import plot

        plot(results, file)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
