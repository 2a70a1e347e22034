"""The benchmark measures what it says: every stream of every server ends, with the words that the back end said."""

import json
from pathlib import Path

import pytest

from bench.answers import DIALECTS, Dialect
from bench.arguments import arguments
from bench.cases import full, quick
from bench.measure import Case, Figures, measure
from bench.plot import plot
from bench.profile import part_of
from bench.report import Results, as_json, tables
from bench.servers import Form, Server, missing


def tiny(server: Server, dialect: Dialect = "assistants", form: Form = "stream") -> Case:
    """A case of 6 streams that is over in an instant."""
    return Case(server, 3, 0.01, dialect, form, streams=6, tokens=10, warm=0)


def made_up(server: Server, cpu: float, first: float) -> Figures:
    """Figures of the centre, as if they had been measured."""
    times = (first, 2 * first)
    return Figures(
        Case(server), 900, {}, 300, 12.0, 150.0, 3.0, cpu, 0.3, 0.2, 0.2, times, times, times, 10**7, 20_000.0
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--set", "DEEP_CHAT_PACE"], "--set takes NAME=VALUE, not 'DEEP_CHAT_PACE'"),
        (["--set", "pace=5"], "pace is no setting of the proxy"),
        (["--set", "DEEP_CHAT_PACE=abc"], "DEEP_CHAT_PACE: must be a whole number from 0, not 'abc'"),
        (["--set", "DEEP_CHAT_LOOP=asyncio"], "DEEP_CHAT_LOOP is set by the benchmark itself"),
        (["--set", "DEEP_CHAT_PACE=5", "--server", "nginx"], "--set is for the proxy"),
        (["--profile", "--quick"], "only --set goes with it"),
        (["--out", ""], "--out takes the name of a folder"),
        (["--out", "/dev/null/here"], "Not a directory"),
    ],
)
def test_what_cannot_be_measured_so_is_refused_in_a_sentence_before_anything_runs(
    capsys: pytest.CaptureFixture[str], given: list[str], sentence: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        arguments(given)

    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err.splitlines()[-1]


def test_figures_of_no_server_make_no_picture(tmp_path: Path) -> None:
    plot(Results([made_up("direct", 0.0, 0.02)]), tmp_path / "bench.svg")

    assert not list(tmp_path.iterdir())


def test_every_dialect_is_measured_in_both_forms_through_the_proxy() -> None:
    measured = {(case.dialect, case.form) for case in full() if case.server == "proxy"}

    assert measured == {(dialect, form) for dialect in DIALECTS for form in ("stream", "object")}
    assert {case.server for case in quick()} == {case.server for case in full()}


@pytest.mark.parametrize(
    ("dialect", "form"), [("assistants", "stream"), ("responses", "object"), ("chat", "stream")]
)
def test_answers_through_the_proxy_are_what_the_back_end_said(dialect: Dialect, form: Form) -> None:
    figures = measure(tiny("proxy", dialect, form))

    assert (figures.ended, figures.failed) == (6, {})
    assert figures.requests >= 1


@pytest.mark.parametrize("server", ["direct", "copying", "nginx", "sdk"])
def test_answers_through_other_servers_are_what_the_back_end_said(server: Server) -> None:
    if reason := missing(server):
        pytest.skip(reason)
    figures = measure(tiny(server))

    assert (figures.ended, figures.failed, figures.requests) == (6, {}, 1.0)


def test_ratios_and_added_times_are_the_proxys_beside_the_others() -> None:
    results = Results(
        [made_up("direct", 0.0, 0.02), made_up("proxy", 0.004, 0.025), made_up("copying", 0.008, 0.024)]
    )

    assert [ratio for _, _, ratio in results.ratios()] == [0.5]
    assert results.added(results.figures[1]) == pytest.approx((0.005, 0.01))
    assert json.loads(as_json(results))["ratios"][0]["cpu"] == 0.5
    assert " 0.50 |" in tables(results)


def test_a_picture_is_drawn_of_the_figures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "bench.svg"
    plot(Results([made_up("direct", 0.0, 0.02), made_up("proxy", 0.004, 0.025)]), file)

    assert file.read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.parametrize(
    ("innermost", "part"),
    [
        (("lib/asyncio/timeouts.py", "timeout"), "network read"),
        (("deep_chat_proxy/turn/answer/reader.py", "Reader.take"), "text safety"),
        (("lib/asyncio/events.py", "Handle._run"), "loop"),
    ],
)
def test_time_counts_for_the_innermost_part_that_is_at_work(innermost: tuple[str, str], part: str) -> None:
    within = [
        ("deep_chat_proxy/upstream/client.py", "ApiClient.chunks"),
        ("deep_chat_proxy/turn/live.py", "LiveTurn._play"),
        ("lib/asyncio/events.py", "Handle._run"),
        ("aiohttp/web.py", "run_app"),
    ]

    assert part_of([innermost, *within]) == part
