"""Nothing that a model writes leads a page anywhere but to the web, to mail or to the visitor's own files.

A model may be made to write what somebody else wants, by what it reads; a picture from elsewhere would then be fetched
with a visitor's secrets in its address, without anybody clicking on anything.
"""

import os
import re
import shutil
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_chat_proxy.turn.events import Cited
from turn.answer_cases import CASES, AnswerCase
from turn.answering import Answer, answered
from turn.remarkable import PACKAGE, Remarkable, rendering

ALLOWED = re.compile(r"https?://|mailto:|deep-chat-file:file-\d+/|#fn", re.IGNORECASE)
_ESCAPED = re.compile(r"\\[!-/:-@\[-`{-~]")
_FORBIDDEN = r"<?(?!https?://|mailto:|deep-chat-file:file-)"
_TARGET = re.compile(rf"\]\([ ]*+{_FORBIDDEN}", re.IGNORECASE)
# What two words follow is a footnote.
_DEFINED = re.compile(rf"[ ]*\[[^\[\]]*\]:[ ]*+{_FORBIDDEN}(?![^\s:<]+ +[^\s\"'(])", re.IGNORECASE)
_ADDRESS = re.compile(r"<(?!https?:|mailto:)[A-Za-z.\-][A-Za-z0-9+.\-]*:", re.IGNORECASE)

LINKS = [
    *("[x](javascript:1)", "[x](data:a)", "[x](", "](", "(javascript:1)", "javascript:", "[x]: javascript:1"),
    *("![i](https://evil.example/i.png)", "![i][r]", "![r]", "![", "[r]: https://evil.example/i.png", "[r]"),
    *(
        "<javascript:1>",
        "<java",
        "script:1>",
        "<",
        ">",
        "[l](https://ok.example)",
        '[l](https://ok.example "',
    ),
    *("[![b](https://b.example)](data:a)", "[x](deep-chat-file:a/b)", "[x](sandbox:/mnt/a)", "[f](a b)"),
]
PIECES = [
    *("[", "]", "(", ")", "!", "\\", "&#58;", ":", '"', "'", "|", " ", "  ", "word", "é", "世", "a"),
    *("【4:0†source】", "【", "†", "】", "\ue200cite\ue202a\ue201", "[^n]: foo", "[^n]", "<a@b.example>"),
]
BREAKS = ["\n", "\n\n", "\r\n", "\r", "\u2028", "\u00a0", "- ", "1. ", "2. ", "> ", "# ", "    ", "\t"]
CODE = [
    "`",
    "``",
    "```",
    "~~~",
    "\n```\n",
    "\n   ```\n",
    "\n    ```\n",
    "```py\n",
    "[`c`](d)",
    "[^`]",
    "`[x](data:a)`",
    # A backtick on the line of a fence, in something that is not shown as it is here.
    "```【4:0†`】\n",
    "```\ue200`\ue201\n",
    "```[a](x`)\n",
    "[](x)```\n",
    "[](x)~~~\n",
    "![](x)~~~\n",
]
TABLE = ["| a | b |\n|---|---|\n", "---", "* * *", "| ` |"]
CITED = [
    Cited("S", "https://s.example/p", marker="【4:0†source】"),
    Cited("L", "https://ok.example", marker="[l](https://ok.example)"),
    Cited("W", "https://w.example", after="word"),
]
without_code = st.lists(st.sampled_from([*LINKS, *PIECES]), max_size=25).map(
    lambda pieces: "".join(pieces).lstrip()
)
anything = st.lists(
    st.sampled_from([*LINKS, *PIECES, *BREAKS, *BREAKS, *CODE, *CODE, *TABLE]), max_size=25
).map("".join)
citations = st.lists(st.sampled_from(CITED), max_size=3, unique=True)


@pytest.fixture(scope="module")
def remarkable() -> Iterator[Remarkable]:
    node = shutil.which("node")
    if node is None or not PACKAGE.is_dir():
        missing = "Node and web/node_modules are needed"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with rendering(node) as remarkable:
        yield remarkable


def seen_of(text: str, cited: list[Cited]) -> list[str]:
    """All that a visitor has in front of them while `text` comes letter by letter, and in the end."""
    answer = Answer()
    for letter in text:
        answer.say(letter)
    for each in cited:
        answer.say(each)
    answer.end()
    return list(dict.fromkeys(answer.all_seen))


@given(without_code, citations)
def test_every_target_begins_as_one_that_is_allowed(text: str, cited: list[Cited]) -> None:
    shown = _ESCAPED.sub("\x7f", answered([text, *cited])[0])

    assert not _TARGET.search(shown)
    assert not _DEFINED.match(shown)
    assert not _ADDRESS.search(shown)
    assert "![" not in shown


@given(text=anything, cited=citations)
def test_a_page_is_led_nowhere_at_any_time(remarkable: Remarkable, text: str, cited: list[Cited]) -> None:
    for rendered in remarkable.render(seen_of(text, cited)):
        assert not rendered["pictures"]
        assert all(ALLOWED.match(target) for target in rendered["targets"])  # type: ignore[attr-defined]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_page_is_led_nowhere_in_the_cases_that_are_known(
    remarkable: Remarkable, case: AnswerCase
) -> None:
    for rendered in remarkable.render([case.text]):
        assert not rendered["pictures"]
        assert all(ALLOWED.match(target) for target in rendered["targets"])  # type: ignore[attr-defined]


code = st.lists(
    st.sampled_from([*LINKS, *PIECES, "\n", "\n\n", "    ", "`", "``", "- ", "> ", "# ", "| a |"]),
    max_size=20,
).map("".join)
words = st.sampled_from(
    ["", "Text.\n\n", "Text\n", "# Head\n", "- item\n\nText\n\n", "| a | b |\n|---|---|\n"]
)


@given(
    words,
    code.map(lambda code: code.replace("【4:0†source】", "")),
    st.sampled_from(["```", "````py", "~~~", "  ~~~~"]),
)
def test_nothing_in_a_fence_changes(before: str, code: str, fence: str) -> None:
    text = f"{before}{fence}\n{code}\n{fence.rstrip('py')}\n"

    assert answered([text])[0] == text


@given(code.map(lambda code: re.sub(r"[`\n|]|【4:0†source】", "", code).strip()))
def test_nothing_in_a_span_of_code_changes(code: str) -> None:
    text = f"See `x{code}` here."

    assert answered([text])[0] == text


ordinary = st.lists(
    st.sampled_from(
        [
            *("word", "[1]", "x < y", "5!", "(a)", "【重要】", "**b**", "`c`", "``d` e``", "| a |", "- ", "2. ", "> ", "*"),
            *("https://a.example", "[a](https://a.example/b_(c))", "<https://a.example>", "[r][s]", "<b>", "\\[", "\n", "\n\n"),
            *("\n```py\nf[a](b)\n```\n", "\n~~~\n![a](b)\n~~~\n", "C:\\dir", "~~e~~", "é", "世", "🚀", "sandbox", "["),
        ]
    ),
    max_size=20,
).map(" ".join)  # fmt: skip


@given(ordinary)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert answered([text])[0] == text


@given(anything, st.lists(st.integers(0, 200), max_size=6))
def test_a_division_at_any_place_gives_the_same(text: str, cuts: list[int]) -> None:
    places = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    pieces = [text[start:end] for start, end in pairwise(places)]

    assert answered(list(pieces)) == answered([text]) == answered(list(text))
