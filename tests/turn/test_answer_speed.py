"""The work for an answer grows as its length does, whatever is in it and however it comes."""

import time
from collections.abc import Callable, Iterable

import pytest

from deep_chat_proxy.turn.text import AnswerText

LENGTH = 4_000
PIECES = (
    "[", "`", "![", "](", "[a](", "[a](x ", "` ", "` `` ``` ", "【", "【4:0†source】", "<a", "- \n", "\n", "```\n", "\\", "> ",
    "- ", " ", "~", "[`a", "[![a", "[^a", "[a]:\n", "|", "\n    a", "`a[b](c)` ", "sandbox:/a ", "[a](((", "\ue200a", "\t",
    "Hello world, and so on.\n",
)  # fmt: skip


def _written(words: Iterable[str]) -> float:
    """Seconds of work for these words; other processes do not count."""
    began = time.process_time()
    text = AnswerText()
    for word in words:
        text.add(word)
    text.finish()
    text.settled()
    return time.process_time() - began


def _grows_with_length(of: Callable[[str], Iterable[str]], piece: str) -> bool:
    """Whether an answer that is four times as long is about four times the work; what disturbs one look does not disturb
    three.
    """
    short, long = ((piece * length)[:length] for length in (LENGTH, 4 * LENGTH))
    return any(_written(of(long)) / max(_written(of(short)), 0.002) < 8 for _ in range(3))


@pytest.mark.parametrize("piece", PIECES)
def test_the_work_for_an_answer_that_comes_letter_by_letter_grows_with_its_length(piece: str) -> None:
    assert _grows_with_length(list, piece)


@pytest.mark.parametrize("piece", PIECES)
def test_the_work_for_an_answer_that_comes_at_once_grows_with_its_length(piece: str) -> None:
    assert _grows_with_length(lambda text: [text], piece)


@pytest.mark.parametrize("piece", [piece for piece in PIECES if "†" not in piece and "b]" not in piece])
def test_no_more_is_held_back_than_one_construct(piece: str) -> None:
    text = AnswerText()
    for letter in (piece * LENGTH)[:LENGTH]:
        text.add(letter)

    assert len(text.finish()) < 700


def test_ordinary_text_is_passed_on_as_it_comes() -> None:
    text = AnswerText()
    pieces = ["Hello", " world", ", and", " so on.\n", "\nMore", " of it"]

    assert [text.add(piece) for piece in pieces] == pieces
