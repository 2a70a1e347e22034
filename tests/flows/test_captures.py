"""Every captured request of the real Deep Chat, byte for byte at the complete server, and its right answer."""

import asyncio
import re

import pytest

from captured import capture, capture_names
from flows.raw import addressed, exchange
from flows.server import Site, site
from flows.visitor import Answer

OTHER_PAGE = "https://shop.example"

GREETING = "Hello! I am the **local assistant**. Write `help` to see what I can do."
DATA = "**data.csv** (8 bytes) says: “a,b 1,2”\n"
REPORT = "**report.pdf** is a PDF without text that I can read, 45 bytes long.\n"
PNG = "This is a PNG picture of 1 x 1 pixels.\n"
GIF = "This is a GIF picture of 1 x 1 pixels.\n"

# Of a visitor who has said nothing yet.
NO_HISTORY = (200, "[]")
NO_SUCH_THREAD = (404, "This conversation was not found. Please start a new one.")
WRONG_METHOD = (405, "This address does not take this kind of request.")
NOT_HEARD = (415, 'The assistant cannot listen to "beep.wav". Please write your message instead.')
PREFLIGHT = (204, "")


def echo(text: str) -> str:
    """The answer to what the local assistant knows no better answer to."""
    return f"You said:\n\n> {text}\n\nThis is message 1 of our thread. Write `help` for ideas."


def several(*lines: str) -> str:
    """The answer to more than one file: images come as parts of the message, after its attachments."""
    return f"You gave me {len(lines)} files:\n\n" + "".join(f"- {line}" for line in lines)


FIRST, SECOND = echo("first message"), echo("second message")

# The text of the answer, or the status and sentence of a refusal.
EXPECTED: dict[str, str | tuple[int, str]] = {
    "a1-first-text": GREETING,
    "a3-additionalBodyProps": GREETING,
    "a4-method-GET": WRONG_METHOD,
    "a5-submitUserMessage-custom": echo("prog"),
    "b1-second-default-1": FIRST,
    "b1-second-default-2": SECOND,
    "b2-second-maxMessages0-1": FIRST,
    "b2-second-maxMessages0-2": SECOND,
    "b3-second-maxMessages2-1": FIRST,
    "b3-second-maxMessages2-2": SECOND,
    "b4-history-prop-max0": GREETING,
    "b7-max0-custom-in-answer-1": FIRST,
    "b7-max0-custom-in-answer-2": SECOND,
    "c1-text-1image": PNG,
    "c12-stream-files": DATA,
    "c14-programmatic-files": (
        r"**p.txt** (3 bytes) says: “abc”[\[1\]](/api/files/ID/p.txt)"
        "\n\n\n**Sources**\n\n1. [p.txt](/api/files/ID/p.txt)"
    ),
    "c2-text-2mixed": several(REPORT, DATA),
    "c3-file-only": DATA,
    "c4-files-then-text-max0-1": several(DATA, PNG),
    "c4-files-then-text-max0-2": echo("then text"),
    "c4-files-then-text-max0-3": REPORT,
    "c4-files-then-text-max0-4": DATA,
    "c5-files-additionalBodyProps": DATA,
    "c7-gif-audio": NOT_HEARD,
    "d1-seed-json-1": echo("one"),
    "d1-seed-json-2": NO_SUCH_THREAD,
    "d1-seed-json-3": NO_SUCH_THREAD,
    "d12-seed-stream-multipart-1": echo("one"),
    "d12-seed-stream-multipart-2": NO_SUCH_THREAD,
    "d2-seed-stream-firstevent-1": FIRST,
    "d2-seed-stream-firstevent-2": SECOND,
    "d3-seed-stream-everyevent-1": FIRST,
    "d3-seed-stream-everyevent-2": NO_SUCH_THREAD,
    "d3-seed-stream-everyevent-3": NO_SUCH_THREAD,
    "e1-cors-include-json-1": PREFLIGHT,
    "e1-cors-include-json-2": GREETING,
    "e2-cors-include-multipart": DATA,
    "e3-cors-include-stream-headers-1": PREFLIGHT,
    "e3-cors-include-stream-headers-2": GREETING,
    "e8-cors-samesite-setcookie-1": PREFLIGHT,
    "e8-cors-samesite-setcookie-2": FIRST,
    "e8-cors-samesite-setcookie-3": SECOND,
    "f1-happy": echo("stream me"),
    "f17d-sessionid-1": FIRST,
    "f17d-sessionid-2": SECOND,
    "f9-stop-1": echo("go"),
    "f9-stop-2": echo("again"),
    "g1-sim-json": echo("x"),
    "j1-loadHistory-1": NO_HISTORY,
    "j1-loadHistory-2": echo("new"),
}
# Captured as pages of another origin sent them, to an address of their own.
CROSS_ORIGIN = [name for name in EXPECTED if name.startswith("e")]
SAME_ORIGIN = [name for name in EXPECTED if name not in CROSS_ORIGIN]


def test_every_capture_has_its_expectation() -> None:
    assert sorted(EXPECTED) == capture_names()


@pytest.mark.parametrize("name", SAME_ORIGIN)
async def test_a_captured_request_is_answered(whole: Site, name: str) -> None:
    check(name, await sent(whole, name))


@pytest.mark.parametrize("name", CROSS_ORIGIN)
async def test_a_captured_request_of_another_origin_is_answered_and_may_be_read(name: str) -> None:
    async with site(allowed_origins=(OTHER_PAGE,)) as running:
        answer = await sent(running, name, path="/api/chat", origin=OTHER_PAGE)

    check(name, answer)
    check_readable(answer)


@pytest.mark.parametrize("name", CROSS_ORIGIN)
async def test_an_unknown_address_is_not_found_in_a_way_that_another_origin_may_read(name: str) -> None:
    async with site(allowed_origins=(OTHER_PAGE,)) as running:
        answer = await sent(running, name, origin=OTHER_PAGE)

    if EXPECTED[name] is not PREFLIGHT:
        check_refusal(answer, (404, "There is nothing at this address."))
    check_readable(answer)


@pytest.mark.parametrize("name", CROSS_ORIGIN)
async def test_a_captured_request_of_an_origin_that_is_not_allowed_does_nothing(
    whole: Site, name: str
) -> None:
    answer = await sent(whole, name, path="/api/chat", origin=OTHER_PAGE)

    check_refusal(answer, (403, "This page is not allowed to use this chat server."))
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert not whole.state.requests


@pytest.mark.parametrize("name", [name for name in SAME_ORIGIN if isinstance(EXPECTED[name], str)])
async def test_a_captured_request_is_answered_the_same_when_it_comes_in_small_pieces(
    whole: Site, name: str
) -> None:
    request = addressed(capture(name), whole.port)
    answer = await exchange(whole.port, *(request[at : at + 7] for at in range(0, len(request), 7)))

    assert answer is not None
    check(name, answer)


async def sent(to: Site, name: str, *, path: str | None = None, origin: str | None = None) -> Answer:
    answer = await exchange(to.port, addressed(capture(name), to.port, path=path, origin=origin))
    assert answer is not None
    async with asyncio.timeout(5):
        await to.quiet()
    assert to.state.active_runs() == []
    return answer


def check(name: str, answer: Answer) -> None:
    """The answer has the right status, form and content."""
    expected = EXPECTED[name]
    if expected is PREFLIGHT:
        check_preflight(name, answer)
    elif expected is NO_HISTORY:
        assert (answer.status, answer.body) == (200, b"[]")
    elif isinstance(expected, tuple):
        check_refusal(answer, expected)
    else:
        assert answer.status == 200
        wants_stream = re.search(rb"(?im)^accept: text/event-stream\r?$", capture(name).head) is not None
        assert answer.headers["Content-Type"] == ("text/event-stream" if wants_stream else "application/json")
        assert answer.plain_text == expected
        assert answer.error is None
        assert answer.thread_id
        assert answer.headers["Set-Cookie"].startswith("deep_chat_session=")


def check_refusal(answer: Answer, expected: tuple[int, str]) -> None:
    assert answer.headers["Content-Type"] == "application/json"
    assert (answer.status, answer.json["error"]) == expected
    assert answer.json.keys() <= {"error", "thread_id"}


def check_preflight(name: str, answer: Answer) -> None:
    asked = re.search(rb"(?im)^Access-Control-Request-Headers: ([^\r\n]*)", capture(name).head)
    assert asked is not None
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Access-Control-Allow-Headers"] == asked[1].decode()
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "Set-Cookie" not in answer.headers


def check_readable(answer: Answer) -> None:
    """A page of the other origin, with its cookies, may read the answer."""
    assert answer.headers["Access-Control-Allow-Origin"] == OTHER_PAGE
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in answer.headers["Vary"]
