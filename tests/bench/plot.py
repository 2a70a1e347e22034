"""The figures as a picture that can be read on a light and on a dark page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.measure import Figures
from bench.report import Results, name

_INK = "#7d8590"
_COLOURS = {"proxy": "#2f81f7", "copying": "#db6d28", "nginx": "#3fb950", "sdk": "#a371f7"}
# What a line is drawn of; less than a tenth of a millisecond is not measured.
_PACES = (0.02, 0.1)
_LEAST = 0.1
_SERVERS = ("proxy", "copying", "nginx", "sdk")


def plot(results: Results, file: Path) -> None:
    """Write the picture; its kind is that of the file's name. Without figures of a server there is nothing to show.
    Raises ImportError where matplotlib is not installed.
    """
    if not _centre(results):
        return
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    style = {
        "svg.hashsalt": "bench",
        "font.size": 9,
        **dict.fromkeys(
            ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _INK
        ),
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with plt.rc_context(style):
        figure, (cpu, first) = plt.subplots(1, 2, figsize=(11, 3.2), layout="constrained")
        _cpu(cpu, _centre(results))
        _first(first, results)
        figure.savefig(file, transparent=True, metadata={"Date": None} if file.suffix == ".svg" else None)
        plt.close(figure)


def _centre(results: Results) -> list[Figures]:
    """Of each server the first that was measured, which is the centre."""
    found: list[Figures] = []
    for server in _SERVERS:
        found += [each for each in results.figures if each.case.server == server][:1]
    return found


def _cpu(axes: Any, figures: Sequence[Figures]) -> None:
    names = [name(each.case) for each in figures]
    values = [each.cpu * 1000 for each in figures]
    bars = axes.barh(names, values, color=[_COLOURS[each.case.server] for each in figures])
    axes.bar_label(bars, [f" {value:.1f}" for value in values], color=_INK)
    axes.invert_yaxis()
    case = figures[0].case
    axes.set_title(f"CPU per stream, ms ({case.at_once} streams, {case.tokens} tokens each)")


def _first(axes: Any, results: Results) -> None:
    """Lines over the numbers of streams, each with one token every 20 ms, or 100 where there are too many for that."""
    added = {server: _added(results, server) for server in _SERVERS}
    counts = sorted({count for points in added.values() for count in points})
    for server, points in added.items():
        at = [counts.index(count) for count in sorted(points)]
        for which, style in enumerate(("-o", ":o")):
            values = [max(points[count][which] * 1000, _LEAST) for count in sorted(points)]
            label = f"{server}, {('p50', 'p99')[which]}"
            axes.plot(at, values, style, color=_COLOURS[server], markersize=4, label=label)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xticks(range(len(counts)), [f"{count:,}" for count in counts])
    axes.set_title("Added time to the first token, ms, by streams")
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _added(results: Results, server: str) -> dict[int, tuple[float, float]]:
    """What a server adds, by the number of streams; that of the quickest pace where there are several."""
    found: dict[int, tuple[float, float]] = {}
    for each in results.figures:
        case, added = each.case, results.added(each)
        if case.server == server and case.dialect == "assistants" and case.pace in _PACES and added:
            found.setdefault(case.at_once, added)
    return found
