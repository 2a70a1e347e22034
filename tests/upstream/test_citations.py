"""Where in a text a source is cited."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_chat_proxy.upstream.citations import (
    NOWHERE,
    Place,
    place_at,
    place_of_span,
    sandbox_path,
    sandbox_paths,
)

PAGE = "https://example.org/a_(b)"
LINKS = (
    f"([example.org]({PAGE}?utm_source=openai))",
    f"[A [fine] page]({PAGE})",
    f"({PAGE})",
    "【4:0†source】",
    "\ue200cite\ue202turn0search1\ue201",
)
ANYTHING = st.none() | st.integers() | st.integers(-3, 40) | st.floats() | st.text(max_size=3) | st.booleans()
TEXTS = st.text("ab 世.[](){}†【】:/sandbox:/x!\n", max_size=60) | st.sampled_from(LINKS)


def span_of(part: str, text: str) -> tuple[int, int]:
    return text.index(part), text.index(part) + len(part)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("whole", [True, False])
def test_a_link_or_mark_that_is_covered_is_the_marker(link: str, *, whole: bool) -> None:
    text = f"It is so {link}"

    assert place_of_span(text, *span_of(link, text), PAGE, whole=whole) == Place(marker=link)
    assert place_of_span(text, *span_of(f" {link}", text), PAGE, whole=whole) == Place(marker=link)


@pytest.mark.parametrize("link", LINKS[:3])
@pytest.mark.parametrize(("start", "end"), [(None, None), (-5, 3), (0, 10**30), (12, 20), ("1", 2.5), (9, 9)])
def test_numbers_that_are_wrong_leave_the_link_to_that_page(link: str, start: object, end: object) -> None:
    text = f"It is so {link}, and [so](https://example.com/)."

    assert place_of_span(text, start, end, PAGE, whole=False) is None
    assert place_of_span(text, start, end, PAGE, whole=True) == Place(marker=link)


def test_of_several_links_to_a_page_the_nearest_is_the_marker() -> None:
    first, second = f"[one]({PAGE})", f"[two]({PAGE})"
    text = f"{first} and then {second}"

    assert place_of_span(text, len(text) - 5, len(text) - 1, PAGE, whole=True) == Place(marker=second)
    assert place_of_span(text, 2, 5, PAGE, whole=True) == Place(marker=first)


def test_a_statement_that_is_covered_has_its_citation_behind_it() -> None:
    text = "x" * 100 + " is so. More."

    assert place_of_span(text, 0, 107, PAGE, whole=False) == Place(after=text[59:107])
    assert len(text[59:107]) == 48


def test_nothing_is_cited_in_the_middle_of_a_word() -> None:
    assert place_of_span("The cats sleep.", 0, 6, PAGE, whole=True) == NOWHERE
    assert place_at("The cats sleep.", 1, whole=True) == Place(after="The cats sleep.")
    assert place_at("世界很大", 2, whole=True) == Place(after="世界")


def test_what_ends_with_the_text_so_far_waits_for_what_follows() -> None:
    assert place_of_span("It is so", 0, 8, PAGE, whole=False) is None
    assert place_at("It is so", 8, whole=False) is None
    assert place_at("It is so.", 8, whole=False) == Place(after="It is so")


@pytest.mark.parametrize("index", [None, 0, -1, 10**30, 10, "3", 2.5])
def test_an_index_that_is_none_stands_for_the_end(index: object) -> None:
    assert place_at("It is so.", index, whole=True) == Place(after="It is so.")


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        ("See [x.csv](sandbox:/mnt/data/x.csv).", "[x.csv](sandbox:/mnt/data/x.csv)"),
        ("See [x.csv](sandbox:/mnt/data/x.csv).", "sandbox:/mnt/data/x.csv"),
        ("See sandbox:/mnt/data/x.csv.", "sandbox:/mnt/data/x.csv"),
        ("See [x.csv](sandbox:/mnt/data/x.csv).", None),
    ],
)
def test_the_path_of_a_file_is_found_in_what_is_covered_or_else_by_its_name(
    text: str, covered: str | None
) -> None:
    start, end = span_of(covered, text) if covered else (None, None)

    assert sandbox_path(text, start, end, "x.csv", whole=True) == "sandbox:/mnt/data/x.csv"


def test_a_path_may_hold_spaces_and_brackets_where_its_end_is_clear() -> None:
    path = "sandbox:/mnt/data/my table (1).csv"

    assert sandbox_paths(f"[a]({path}) b") == (path,)
    assert sandbox_path(path, 0, len(path), "my table (1).csv", whole=False) == path


def test_a_picture_that_covers_nothing_stands_nowhere() -> None:
    assert sandbox_path("See sandbox:/mnt/data/x.png", 0, 0, "x.png", whole=False) == ""


@given(TEXTS, ANYTHING, ANYTHING, st.booleans())
def test_no_numbers_are_too_strange(text: str, start: object, end: object, whole: bool) -> None:
    for place in (place_of_span(text, start, end, PAGE, whole=whole), place_at(text, start, whole=whole)):
        assert place is not None or not whole
        if place is not None:
            assert place.marker in text
            assert place.after in text
            assert len(place.after) <= 48
    assert (sandbox_path(text, start, end, "x", whole=whole) or "") in text


@given(TEXTS, TEXTS, st.integers(-1, 60), st.integers(-1, 60))
def test_what_is_told_early_is_what_is_told_in_the_end(text: str, rest: str, start: int, end: int) -> None:
    early = place_of_span(text, start, end, PAGE, whole=False)
    assert early in {None, place_of_span(text + rest, start, end, PAGE, whole=True)} or rest == ""
    early_at = place_at(text, end, whole=False)
    assert early_at in {None, place_at(text + rest, end, whole=True)} or rest == ""


@pytest.mark.parametrize(
    "text",
    ["[", "([", "[a](", "sandbox:/", "([a](x)", "(https://", "[[a]", "【a", "sandbox:/(", "](sandbox:/a"],
)
def test_a_long_text_is_searched_at_once(text: str) -> None:
    """A pattern that goes over the text again and again would take minutes here, and block every stream."""
    long = text * (500_000 // len(text))
    before = time.process_time()
    place_of_span(long, None, None, PAGE, whole=True)
    sandbox_path(long, None, None, "x", whole=True)

    assert time.process_time() - before < 5
