"""What processes say to each other, and how it is framed: four bytes that say how long a message is, then the message.

One connection is one request: the answer comes on it, for a turn that is followed with all that comes of it, and
whoever asked takes it back by closing the connection.
"""

from asyncio import StreamReader

import msgspec
from msgspec import Struct

from deep_chat_proxy.turn.events import TurnEvent
from deep_chat_proxy.turn.log import LogCopy

_LENGTH = 4
MOST_REQUEST = 4096
"""Bytes of a request."""
MOST_ANSWER = 256 * 1024 * 1024
"""Bytes of an answer, the largest of which holds the whole log of a turn: settings bound that further."""


class Follow(Struct, frozen=True, tag=True):
    """The turn on a thread: `Found`, then what comes of it; or `Unknown`."""

    thread_id: str


class Take(Struct, frozen=True, tag=True):
    """As `Follow` where the turn on the thread answers the message with this fingerprint; another turn is waited for, for
    so many seconds: `Over`, `Busy` or `Unknown`.
    """

    thread_id: str
    fingerprint: str
    within: float


class Stop(Struct, frozen=True, tag=True):
    """Stop the turn on a thread: `Over` where it was stopped, or `Unknown`."""

    thread_id: str


class End(Struct, frozen=True, tag=True):
    """Stop the turn on a thread and wait until it is over: `Over` or `Busy`."""

    thread_id: str


class Found(Struct, frozen=True, tag=True):
    """The turn is followed from here on; `log` is all of it so far."""

    turn_id: str
    log_id: str
    log: LogCopy


class Anew(Struct, frozen=True, tag=True):
    """The log of the turn once more, as it is now: it grew too fast for whoever follows it."""

    log: LogCopy


class Added(Struct, frozen=True, tag=True):
    """What was added to the log of the turn."""

    events: tuple[TurnEvent, ...]


class Silent(Struct, frozen=True, tag=True):
    """The process is there, and the turn was alive so many seconds ago."""

    seconds: float


class Over(Struct, frozen=True, tag=True):
    """It is done."""


class Busy(Struct, frozen=True, tag=True):
    """The turn goes on."""


class Unknown(Struct, frozen=True, tag=True):
    """There is no such turn."""


Request = Follow | Take | Stop | End
Answer = Found | Anew | Added | Silent | Over | Busy | Unknown

_encode = msgspec.msgpack.Encoder().encode
_request: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_answer: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def framed(message: Request | Answer) -> bytes:
    """A message as it is sent. Raises ValueError where it is longer than the other side takes."""
    body = _encode(message)
    if len(body) > MOST_ANSWER:
        raise ValueError("the message is too long")
    return len(body).to_bytes(_LENGTH) + body


async def read_request(reader: StreamReader) -> Request:
    """The next request. Raises ValueError, EOFError, OSError."""
    return _request.decode(await _body(reader, MOST_REQUEST))


async def read_answer(reader: StreamReader) -> Answer:
    """The next answer. Raises ValueError, EOFError, OSError."""
    return _answer.decode(await _body(reader, MOST_ANSWER))


async def _body(reader: StreamReader, most: int) -> bytes:
    length = int.from_bytes(await reader.readexactly(_LENGTH))
    if length > most:
        raise ValueError("the message is too long")
    return await reader.readexactly(length)
