"""What can happen to a request or its answer on their way, and with which requests it is to happen.

`fault_proxy.py` makes it happen. `Stall(Events(3))`, with `on("POST", "/v1/threads/*/runs")`, is a back end that falls
silent after three events of a run.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from typing import ClassVar, NamedTuple

_EVENT_END = re.compile(rb"\n\r?\n")


class Moment(Enum):
    """A point before the body of an answer."""

    BEFORE = "before the request is passed on"
    DONE = "when the server has begun to answer, before anything of that is passed on"


@dataclass(frozen=True)
class Bytes:
    """The point after so many bytes of a body, without the frames of its chunks."""

    count: int

    def place(self, body: bytes) -> int | None:
        """Where it is in the body as far as it has come; None where that is not far enough."""
        return self.count if self.count <= len(body) else None


@dataclass(frozen=True)
class Events:
    """The point after so many whole events of a body."""

    count: int

    def place(self, body: bytes) -> int | None:
        """As of Bytes."""
        if not self.count:
            return 0
        ends = islice(_EVENT_END.finditer(body), self.count - 1, None)
        return next((found.end() for found in ends), None)


Point = Moment | Bytes | Events


@dataclass(frozen=True)
class Cut:
    """The connection is closed there."""

    at: Point


@dataclass(frozen=True)
class Reset:
    """The connection breaks there."""

    at: Point


@dataclass(frozen=True)
class Stall:
    """Nothing more comes from there on, until the fault is lifted."""

    at: Point


@dataclass(frozen=True)
class Repeat:
    """What of the body is between the two points comes twice."""

    start: Bytes | Events
    at: Bytes | Events


@dataclass(frozen=True)
class Split:
    """The answer comes so many bytes at a time, frames and all."""

    size: int
    delay: ClassVar[float] = 0
    at: ClassVar[None] = None


@dataclass(frozen=True)
class Slow:
    """The answer comes so many bytes at a time, with so many seconds between them."""

    size: int
    delay: float
    at: ClassVar[None] = None


@dataclass(frozen=True)
class Refuse:
    """The request is not passed on, but answered with this."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    body: bytes = b'{"error": {"message": "No.", "type": "server_error"}}'
    at: ClassVar[None] = None


Fault = Cut | Reset | Stall | Repeat | Split | Slow | Refuse


class Seen(NamedTuple):
    """A request, without the query in its path."""

    method: str
    path: str


class Passed(NamedTuple):
    """A request that was answered, and the body of its answer as it came from the server."""

    seen: Seen
    body: bytes

    @property
    def events(self) -> int:
        return len(_EVENT_END.findall(self.body))


When = Callable[[Seen], bool]


def on(method: str, path: str) -> When:
    """Requests to this path, in which `*` stands for one segment."""
    pattern = re.compile("[^/]+".join(re.escape(part) for part in path.split("*")))
    return lambda seen: seen.method == method and pattern.fullmatch(seen.path) is not None


def since(when: When, nth: int) -> When:
    """The nth of these requests and all that come after it, of whatever kind."""
    seen_so_far = 0

    def matches(seen: Seen) -> bool:
        nonlocal seen_so_far
        seen_so_far += when(seen)
        return seen_so_far >= nth

    return matches


def always(_: Seen) -> bool:
    """Every request."""
    return True


class Plan:
    """A fault that is to come with the matching requests from the `first` to the `last`; `happened` is set when it has,
    `hits` counts how often.
    """

    def __init__(self, fault: Fault, when: When, first: int, last: float) -> None:
        self.fault = fault
        self.happened = asyncio.Event()
        self.hits = 0
        self.lifted = asyncio.Event()
        self._when = when
        self._first = first
        self._last = last
        self._matched = 0

    def lift(self) -> None:
        """It comes no more; where it stalls an answer, that goes on."""
        self.lifted.set()

    def takes(self, seen: Seen) -> bool:
        """Whether it comes with this request, which is counted."""
        if not self._when(seen):
            return False
        self._matched += 1
        return self._first <= self._matched <= self._last and not self.lifted.is_set()

    def place(self, body: bytes) -> int | None:
        """Where in the body, as far as it has come, it is to happen."""
        at = self.fault.at
        return at.place(body) if isinstance(at, Bytes | Events) else None

    def hit(self) -> None:
        self.hits += 1
        self.happened.set()
