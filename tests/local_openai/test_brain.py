"""What the assistant says, with no server around it."""

import ast
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deep_chat_proxy import local_openai as local_openai_package
from deep_chat_proxy.local_openai.brain import reply
from deep_chat_proxy.local_openai.brain.actions import CallFunctions, Pace, RejectRequest, Say, Wait
from deep_chat_proxy.local_openai.brain.conversation import Answered, Call, Conversation, Function, Said
from deep_chat_proxy.local_openai.brain.pieces import pieces
from deep_chat_proxy.local_openai.brain.png import encode
from deep_chat_proxy.local_openai.brain.sniff import Picture, pdf_text, picture
from deep_chat_proxy.local_openai.brain.tool_calls import rounds_in, sample

WEATHER = (Function("get_weather", {}),)


def thread(*texts: str) -> Conversation:
    """A thread in which each text was answered with "ok", but for the last."""
    said = [Said(by_user=True, text=text) for text in texts]
    answered = [one for text in said for one in (text, Said(by_user=False, text="ok"))]
    return Conversation(messages=tuple(answered[:-1]), functions=WEATHER)


def text_of(conversation: Conversation) -> str:
    return "".join(action.text for action in reply(conversation) if isinstance(action, Say))


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("One", "Two", "What did I say first?"), "One"),
        (("One", "Two", "What did I just say?"), "Two"),
        (("One", "Two", "How many messages?"), "3 messages of yours, this one included, and 2 of mine"),
        (("What did I say first?",), "your first message"),
        (("What is my name?",), "not told me"),
        (("Something else entirely",), "> Something else entirely"),
        (("",), "without words"),
        (("Hello!",), "Hello!"),
        (("Thanks a lot",), "welcome"),
        (("what tools do you have",), "`get_weather`"),
        (("what's the weather?",), "For which city?"),
        (("what is in the file?",), "I see no file"),
        (("make a csv",), "only with the code interpreter"),
    ],
)
def test_it_answers_from_the_thread(texts: tuple[str, ...], expected: str) -> None:
    assert expected in text_of(thread(*texts))


def test_an_answer_to_an_empty_thread_is_still_an_answer() -> None:
    assert reply(Conversation(messages=()))


def test_modifiers_go_before_anything() -> None:
    pace, wait, *rest = reply(thread("Slowly, wait 2 seconds, then count to 3"))

    assert (type(pace), wait) == (Pace, Wait(2))
    assert rest == [Say("1 "), Say("2 "), Say("3 ")]


def test_a_request_that_is_to_be_refused_is_refused_at_once() -> None:
    assert [type(action) for action in reply(thread("wait 5 seconds, then http 500"))] == [RejectRequest]


@given(st.text())
def test_pieces_are_the_text_again(text: str) -> None:
    cut = pieces(text)

    assert "".join(cut) == text
    assert all(cut)


@given(st.text(max_size=60), st.lists(st.tuples(st.text(max_size=10), st.text(max_size=30)), max_size=3))
def test_there_is_an_answer_to_every_text_and_every_output(text: str, outputs: list[tuple[str, str]]) -> None:
    done = tuple((Answered(Call(name, "{}"), output),) for name, output in outputs)
    for asked in (text, f"weather in {text}", f"call f with {text}"):
        reply(Conversation(messages=(Said(by_user=True, text=asked),), functions=WEATHER, rounds=done))


@given(
    st.lists(st.lists(st.sampled_from(["a", "b_1", "c-d"]), min_size=1, max_size=3), min_size=1, max_size=3)
)
def test_calls_are_read_back_as_they_were_written(rounds: list[list[str]]) -> None:
    text = " then ".join(
        " and ".join(f'call {name} with {{"x": "{name}"}}' for name in round_) for round_ in rounds
    )

    assert rounds_in(text) == [[Call(name, f'{{"x": "{name}"}}') for name in round_] for round_ in rounds]


@given(st.integers(1, 6), st.integers(1, 8))
def test_rounds_come_to_an_end_whatever_is_called(cities: int, most: int) -> None:
    asked = thread("weather in " + " and ".join(f"City{number}" for number in range(cities)))
    rounds: tuple[tuple[Answered, ...], ...] = ()
    for _ in range(most):
        (*_, last) = reply(
            Conversation(messages=asked.messages, functions=WEATHER, rounds=rounds, parallel=False)
        )
        if not isinstance(last, CallFunctions):
            break
        rounds += (tuple(Answered(call, "fine") for call in last.calls),)

    assert len(rounds) == min(cities, most)


@given(st.integers(1, 50), st.integers(1, 50))
def test_a_png_has_the_size_it_was_given(width: int, height: int) -> None:
    assert picture(encode([bytes(width)] * height)) == Picture("PNG", width, height)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "enum": ["x", "y"]}, "x"),
        (
            {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]},
            {"n": 3},
        ),
        ({"type": "object", "properties": 3, "required": [1]}, {"1": "sample"}),
        ({"type": "array"}, []),
        ({"type": "boolean"}, True),
        ({}, {}),
    ],
)
def test_a_sample_fits_its_schema(schema: dict[str, object], value: object) -> None:
    assert sample(schema) == value


@pytest.mark.parametrize(
    "text", [" ", "call a with {", 'call a with "', "and then ", "weather in ", "a, ", "(", "\n"]
)
def test_a_long_message_is_answered_at_once(text: str) -> None:
    """A pattern that goes over the text again and again would take minutes here, and block every stream."""
    long = text * (250_000 // len(text))
    with_prefix = [long, f"call a with {long}", f"weather in {long}", f"slowly {long}"]
    before = time.process_time()
    for asked in with_prefix:
        reply(thread(asked))

    assert time.process_time() - before < 10


@pytest.mark.parametrize("data", [b"stream\n", b"endstream", b"(", b"stream\n(\\", b"stream \xff"])
def test_a_large_pdf_is_read_at_once(data: bytes) -> None:
    before = time.process_time()
    pdf_text(b"%PDF-1.4\n" + data * (8_000_000 // len(data)))

    assert time.process_time() - before < 10


def imports_of(path: Path) -> set[str]:
    """Names of all modules that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_the_local_openai_shares_no_code_with_what_it_tests_and_its_brain_knows_no_protocol() -> None:
    root = Path(local_openai_package.__file__).parent
    home = local_openai_package.__name__
    allowed = {"brain": f"{home}.brain", ".": home}
    for path in root.rglob("*.py"):
        imports = imports_of(path)
        within = allowed["brain" if path.parent.name == "brain" else "."]
        ours = {name for name in imports if name.startswith("deep_chat_proxy")}
        assert {name for name in ours if not f"{name}.".startswith(f"{within}.")} == set(), path
        assert "aiohttp" not in imports or path.parent.name != "brain", path
