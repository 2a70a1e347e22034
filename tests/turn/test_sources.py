"""The list of sources at the end of an answer: Markdown that shows what was cited and nothing else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_chat_proxy.turn.events import ChatFile, Cited, FileKind
from deep_chat_proxy.turn.sources import Sources, listed

HEAD = "\n\n**Sources**\n\n"
# What Markdown takes for itself wherever it stands unescaped within a line.
_ACTIVE = re.compile(r"(?<!\\)(?:\\\\)*[`*_\[\]<>!|]")
# What begins a heading, a list, a fence or a rule where a line of a list begins with it.
_BEGINS_A_BLOCK = re.compile(r"#{1,6}(\s|\Z)|[-+](\s|\Z)|\d{1,9}[.)](\s|\Z)|~~~|-{3,}\Z|(- ?){3,}\Z|={3,}\Z")


def text(*cited: Cited) -> str:
    """The list behind an answer with these sources, none of which has a place in it."""
    sources = Sources()
    for each in cited:
        sources.add(each)
    return listed(sources.numbers().all())


def lines(*cited: Cited) -> list[str]:
    """The list, without its head and numbers."""
    shown = text(*cited)
    assert shown == "" or shown.startswith(HEAD)
    found = shown.removeprefix(HEAD).splitlines() if shown else []
    assert [line.partition(". ")[0] for line in found] == [str(number + 1) for number in range(len(found))]
    return [line.partition(". ")[2] for line in found]


def test_nothing_is_said_where_nothing_was_cited() -> None:
    assert text() == ""


def test_pages_are_links_and_files_are_names_in_their_order() -> None:
    assert text(Cited("A page", "https://example.com/a?b=c#d"), Cited("report.pdf")) == (
        f"{HEAD}1. [A page](https://example.com/a?b=c#d)\n2. report.pdf"
    )


def test_a_file_of_the_thread_is_a_link_under_its_own_name() -> None:
    sources = Sources()
    sources.add(Cited("report (1).pdf", upstream_id="file-1"), ChatFile("f1", "report (1).pdf", FileKind.ANY))

    assert listed(sources.numbers().all()) == (
        f"{HEAD}1. [report (1).pdf](deep-chat-file:f1/report%20%281%29.pdf)"
    )


def test_a_source_is_listed_once_under_the_title_that_came_first() -> None:
    assert lines(
        Cited("One", "https://example.com/"),
        Cited("report.pdf"),
        Cited("Other", "https://example.com/"),
        Cited("report.pdf"),
        Cited("One", "https://example.com/2"),
    ) == ["[One](https://example.com/)", "report.pdf", "[One](https://example.com/2)"]


@pytest.mark.parametrize(
    "url",
    [
        *(
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "ftp://example.com/",
            "//example.com/",
        ),
        *("example.com", "https:example.com", " https://example.com", "https://example.com/a b", "https://"),
        *(
            "https://example.com/\n2. [x](y)",
            "https://example.com/<b>",
            "view-source:https://example.com",
            "",
        ),
    ],
)
def test_a_link_to_anything_but_a_web_page_is_passed_over(url: str) -> None:
    assert lines(Cited("A page", url)) == []


@pytest.mark.parametrize("url", ["http://example.com/", "HTTPS://EXAMPLE.COM/ä世"])
def test_a_web_page_may_be_written_in_any_way(url: str) -> None:
    assert lines(Cited("A page", url)) == [f"[A page]({url})"]


@pytest.mark.parametrize("title", ["", "  ", "\n"])
def test_a_source_without_a_title_is_passed_over(title: str) -> None:
    assert lines(Cited(title), Cited(title, "https://example.com/")) == []


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("a [b](javascript:x) c", r"a \[b\](javascript:x) c"),
        ("![x](https://example.com/x.png)", r"\!\[x\](https://example.com/x.png)"),
        ("<script>*_`", r"\<script\>\*\_\`"),
        (r"back\slash", r"back\\slash"),
        ("many\n\n lines\tof it", "many lines of it"),
        ("a|b", r"a\|b"),
    ],
)
def test_a_title_is_shown_as_it_is(title: str, shown: str) -> None:
    assert lines(Cited(title), Cited(title, "https://example.com/")) == [
        shown,
        f"[{shown}](https://example.com/)",
    ]


@pytest.mark.parametrize(
    "title",
    [
        "# notes.md",
        "- a.txt",
        "+ a.txt",
        "1. Intro.pdf",
        "2) Plan.pdf",
        "~~~.txt",
        "---",
        "- - -",
        "#",
        "***",
    ],
)
def test_a_name_begins_no_block_of_its_own(title: str) -> None:
    (line,) = lines(Cited(title))

    assert not _BEGINS_A_BLOCK.match(line)


markdown = st.text(alphabet="aé世 \t\n\\`*_[]()<>!|#\"'&-.:/", max_size=30)


@given(markdown)
def test_no_title_becomes_anything_but_text(title: str) -> None:
    for line in lines(Cited(title), Cited(title, "https://example.com/")):
        label = line.removeprefix("[").removesuffix("](https://example.com/)")
        assert not _ACTIVE.search(label)
        assert not label.endswith("\\") or label.endswith("\\\\")


@given(markdown)
def test_no_address_ends_its_link_before_its_end(rest: str) -> None:
    for line in lines(Cited("A page", f"https://example.com/{rest}")):
        target = line.removeprefix("[A page](").removesuffix(")")
        assert line == f"[A page]({target})"
        assert not re.search(r"[\s()<>]", target)
        # A backslash would take the parenthesis that ends the link.
        assert not target.endswith("\\")


def test_a_long_title_is_cut_and_the_list_is_bounded() -> None:
    many = [Cited("x" * 5_000, f"https://example.com/{number}") for number in range(500)]

    found = lines(*many)

    assert len(found) == 50
    assert max(map(len, found)) < 250


@pytest.mark.parametrize(
    "url",
    ["https://example.com/" + "a" * 2_000, "https://example.com/\u202egnp.exe", "https://example.com/\0"],
)
def test_an_address_that_is_endless_or_cannot_be_printed_is_no_source(url: str) -> None:
    assert lines(Cited("A page", url)) == []
