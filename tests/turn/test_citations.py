"""Sources in the text of an answer: numbers and links where the model wrote something that nobody can read."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_chat_proxy.turn.answer.marks import APART
from deep_chat_proxy.turn.events import Cited, FileKind, FileMade
from turn.answer_cases import CASES, CITED, NOTES, PAGE, REPORT, TABLE, AnswerCase
from turn.answering import Answer, Said, answered, in_parts

RAW_MARKER = re.compile(r"【\d+:\d+†|sandbox:/|\ue200")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_answer_reads_as_it_should(case: AnswerCase) -> None:
    assert answered([*case.annotations, *in_parts(case.parts)]) == (case.text, case.sources)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_it_reads_the_same_where_annotations_come_last_and_words_letter_by_letter(case: AnswerCase) -> None:
    letters: list[Said] = []
    for part in in_parts(case.parts):
        letters += [None] if part is None else list(str(part))

    assert answered([*letters, *case.annotations]) == (case.text, case.sources)


@pytest.mark.parametrize("case", CITED, ids=str)
def test_no_marker_is_ever_in_view(case: AnswerCase) -> None:
    answer = Answer()
    for part in in_parts(case.parts):
        for letter in [None] if part is None else list(str(part)):
            answer.say(letter)
    answer.end()

    assert not any(RAW_MARKER.search(seen) for seen in answer.all_seen)


ANNOTATIONS: list[Cited | FileMade] = [
    REPORT,
    NOTES,
    PAGE,
    TABLE,
    Cited("Other", "https://other.example", marker="【4:0†source】"),
    Cited("Another", "https://another.example", after="word "),
    Cited("table.csv", upstream_id="cfile-table", after="`code`"),
    Cited("Bare", "https://bare.example", marker="https://bare.example"),
    FileMade("cfile-2", "b.png", FileKind.IMAGE, marker="【4:2†source】"),
]
VOCABULARY = [
    *("【4:0†source】", "【4:1†source】", "【4:2†source】", "【4:3†report.pdf】", "【", "†", "】", "【4:0"),
    *(PAGE.marker, "sandbox:/mnt/data/table.csv", "[t](sandbox:/mnt/data/table.csv)", "https://bare.example"),
    *(
        "word ",
        "`code`",
        "`",
        "```",
        "\n",
        "\n\n",
        "!",
        "[",
        "]",
        "(",
        ")",
        "\\",
        "<",
        ":",
        "- ",
        "    ",
        "x",
    ),
]


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[str], list[Cited | FileMade]]:
    parts = draw(st.lists(st.lists(st.sampled_from(VOCABULARY), max_size=12).map("".join), max_size=3))
    return parts, draw(st.lists(st.sampled_from(ANNOTATIONS), max_size=6))


@given(answers(), st.data())
def test_the_text_depends_on_words_and_annotations_and_on_nothing_else(
    answer: tuple[list[str], list[Cited | FileMade]], data: st.DataObject
) -> None:
    parts, annotations = answer
    whole = [*in_parts(parts), *annotations]
    divided: list[Said] = []
    for part in in_parts(parts):
        divided += [None] if part is None else list(str(part))
    for index, place in enumerate(sorted(data.draw(st.lists(st.integers(0, 60), max_size=6)))):
        if index < len(annotations):
            divided.insert(place + index, annotations[index])
    divided += annotations[len([each for each in divided if isinstance(each, Cited | FileMade)]) :]

    assert answered(divided) == answered(whole)


@given(answers())
def test_numbers_go_by_first_places_and_every_one_is_in_the_list(
    answer: tuple[list[str], list[Cited | FileMade]],
) -> None:
    parts, annotations = answer
    text, sources = answered([*in_parts(parts), *annotations])

    numbers = [int(number) for number in re.findall(r"\\\[(\d+)\\\]", text)]
    first_places = list(dict.fromkeys(numbers))
    assert first_places == list(range(1, len(first_places) + 1))
    assert [source.number for source in sources] == list(range(1, len(sources) + 1))
    assert len(first_places) <= len(sources)


def test_numbers_are_shown_at_once_where_they_are_known() -> None:
    answer = Answer()
    for said in (NOTES, REPORT, "One【4:0†source】 ", "two【4:1†source】 "):
        answer.say(said)

    assert answer.seen == r"One\[1\] two\[2\] "


def test_nothing_is_shown_where_it_is_not_known_until_it_is() -> None:
    answer = Answer()
    for said in ("One【4:0†source】 two.", REPORT):
        answer.say(said)
    assert answer.seen == "One two."
    answer.end()

    assert answer.seen == r"One\[1\] two."


def test_a_page_with_the_same_name_as_a_file_is_another_source() -> None:
    _, sources = answered([Cited("report.pdf", "https://a.example/report.pdf"), REPORT, "【4:0†source】 x"])

    assert [(source.title, source.url) for source in sources] == [
        ("report.pdf", None),
        ("report.pdf", "https://a.example/report.pdf"),
    ]


def test_words_that_a_source_is_cited_for_stay() -> None:
    text, _ = answered([Cited("S", "https://s.example", marker="It rains."), "It rains. It pours."])

    assert text == r"It rains.[\[1\]](https://s.example) It pours."


@pytest.mark.parametrize(
    ("words", "after", "text"),
    [
        ("[a](https://a.example/b) c", "https://a.ex", r"[a](https://a.example/b)[\[1\]](https://s.example) c"),
        ("`code` c", "`co", r"`code`[\[1\]](https://s.example) c"),
        ("a\n```\ncode\n```\n", "co", "a\n```\ncode\n```\n"),
        ("a\n\n```\ncode\n```\n", "a\n\n", "a[\\[1\\]](https://s.example)\n\n```\ncode\n```\n"),
        ("a!", "a!", f"a!{APART}[\\[1\\]](https://s.example)"),
        ("a", "b", "a"),
    ],
)  # fmt: skip
def test_a_number_breaks_nothing_that_it_comes_into(words: str, after: str, text: str) -> None:
    assert answered([words, Cited("S", "https://s.example", after=after)])[0] == text


def test_more_sources_than_are_listed_leave_no_number() -> None:
    many = [Cited(f"{n}.pdf", upstream_id=f"f{n}", marker=f"【{n}:0†source】") for n in range(60)]
    text, sources = answered([*many, "".join(f"a【{n}:0†source】 " for n in range(60))])

    assert len(sources) == 50
    assert text.endswith(r"\[50\] " + "a " * 10)
