"""What a visitor sends: the same message has the same fingerprint, and any other another."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from deep_chat_proxy.turn.events import FileKind
from deep_chat_proxy.turn.message import Attachment, UserMessage

# Halves of characters may be in a message, too.
texts = st.text(st.characters(), max_size=8)


def attachment(name: str, content: str, where: str = "/one") -> Attachment:
    return Attachment(Path(where), name, "text/plain", FileKind.ANY, 1, content)


files = st.lists(st.tuples(st.sampled_from(["a", "b.txt", "ü"]), st.sampled_from(["0" * 64, "1" * 64])))
messages = st.tuples(texts, files)


def message(text: str, of_files: list[tuple[str, str]], where: str = "/one") -> UserMessage:
    return UserMessage(text, tuple(attachment(name, content, where) for name, content in of_files))


@given(messages, messages)
def test_messages_have_the_same_fingerprint_where_text_and_files_are_the_same_and_only_there(
    one: tuple[str, list[tuple[str, str]]], other: tuple[str, list[tuple[str, str]]]
) -> None:
    assert (message(*one).fingerprint == message(*other).fingerprint) is (one == other)


@given(messages)
def test_where_files_are_spooled_makes_no_other_message(one: tuple[str, list[tuple[str, str]]]) -> None:
    assert message(*one, "/one").fingerprint == message(*one, "/two").fingerprint


def test_what_is_in_the_text_is_not_taken_for_a_file() -> None:
    with_file = message("Hi", [("a", "0" * 64)])
    as_text = UserMessage("Hi\0" + "0" * 64 + "a")

    assert with_file.fingerprint != as_text.fingerprint
