"""The HTTP client of the back end: where it is, how it is asked, and what is asked again.

A call is repeated only where that cannot do a thing twice: reads and cancels always, other posts only where
the back end surely did not take them (no connection, a refusal like 429, or a 503 that says it is overloaded).
`Retry-After` is obeyed up to `max_retry_wait`; a longer wait is the visitor's to decide.
"""

import asyncio
import io
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any, TypeVar, cast
from urllib.parse import quote

import aiohttp
import msgspec
import stamina
from msgspec import Struct

from deep_chat_proxy.errors import CUT_OFF, FAILED, UNREACHABLE, ChatError
from deep_chat_proxy.turn.ports import Listener
from deep_chat_proxy.upstream.deadlines import Deadlines
from deep_chat_proxy.upstream.event_stream import EventStream
from deep_chat_proxy.upstream.failures import UpstreamError, failure
from deep_chat_proxy.upstream.gathering import FrameClock, Hold
from deep_chat_proxy.upstream.reading import AnswerReader, UnsentError, fault_of
from deep_chat_proxy.upstream.surrogates import mended

T = TypeVar("T")

_SURELY_NOT_TAKEN = frozenset({"server_is_overloaded", "slow_down"})
_MAX_ERROR_BODY = 64 * 1024
# Seconds.
_LINGER = 0.2
# Bytes above which aiohttp wants a body that it can send in parts.
_LARGE = 2**20
# What servers send in pieces, by the names of the fields; the halves of a character may be in two of them.
_IN_PIECES = frozenset({"arguments", "content", "delta", "refusal", "value"})


class Endpoint(Struct, frozen=True):
    """Where the back end is and how it is addressed; times in seconds, sizes in bytes.

    `base_url` has no slash at its end; `headers` and `query` go with every call. `connect` bounds the time
    to connect, `answer` the silence before or within one answer, `first` that before the first bytes of a stream,
    `silence` that between two reads of it. `attempts` counts the first try too. `max_event` bounds one event of a stream, `max_answer` one
    JSON answer.
    """

    base_url: str
    headers: dict[str, str]
    query: dict[str, str]
    connect: float = 10.0
    answer: float = 60.0
    first: float = 120.0
    silence: float = 120.0
    attempts: int = 3
    max_retry_wait: float = 10.0
    max_event: int = 16 * 1024 * 1024
    max_answer: int = 32 * 1024 * 1024


class Call(Struct, frozen=True):
    """One request. `form` makes a body that cannot be sent twice anew for each try; a `patient` one is answered only
    when a model has come to its end.
    """

    method: str
    path: str
    json: object = None
    form: Callable[[], AbstractAsyncContextManager[aiohttp.FormData]] | None = None
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    repeatable: bool = False
    stream: bool = False
    patient: bool = False


class Reply(Struct, frozen=True):
    """A whole answer with a status below 300."""

    body: bytes
    headers: Mapping[str, str]

    def into(self, wanted: type[T]) -> T:
        """The body as `wanted`; raises ChatError where it is something else."""
        return decoded(self.body, wanted)


def path(*segments: str) -> str:
    """A path of segments that may hold anything: ids are the back end's business, not ours.

    Raises ChatError for one that would be no segment but a way to another path.
    """
    if any(segment in {"", ".", ".."} for segment in segments):
        raise ChatError(FAILED, "the back end named something in a way that cannot be asked for")
    return "".join("/" + quote(segment, safe="") for segment in segments)


def decoded(body: bytes, wanted: type[T]) -> T:
    """`body` as `wanted`; raises ChatError where it is not that. Strings in it may hold halves of characters."""
    try:
        return _read(body, wanted)
    except (ValueError, RecursionError) as fault:
        raise ChatError(
            FAILED, f"the back end's answer is no {wanted.__name__}: {type(fault).__name__}"
        ) from fault


# One that is there already is several times as fast as finding out anew what is wanted.
_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}
_list_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}


def _read(body: bytes, wanted: type[T]) -> T:
    if (decoder := _decoders.get(wanted)) is None:
        decoder = _decoders[wanted] = msgspec.json.Decoder(wanted)
    try:
        return cast("T", decoder.decode(body))
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        # It takes no half of a character, which is JSON all the same.
        return msgspec.convert(mended(json.loads(body), _IN_PIECES), wanted)


def decoded_all(bodies: Sequence[bytes], wanted: type[T]) -> list[T] | None:
    """All of these bodies, each as `wanted`, read in one; None where they have to be looked at one by one, as some of
    them are something else or there are no several.
    """
    if len(bodies) < 2:
        return None
    if (decoder := _list_decoders.get(wanted)) is None:
        decoder = _list_decoders[wanted] = msgspec.json.Decoder(list[wanted])  # type: ignore[valid-type]
    try:
        found = cast("list[T]", decoder.decode(b"[%b]" % b",".join(bodies)))
    except (ValueError, RecursionError):
        return None
    return found if len(found) == len(bodies) else None


class ApiClient:
    """Calls one back end. Everything that goes wrong is a ChatError; UpstreamError where the back end said no."""

    def __init__(
        self, session: aiohttp.ClientSession, endpoint: Endpoint, frames: FrameClock | None = None
    ) -> None:
        """`frames` says when streams are read; without it, whenever they bring something."""
        self._session = session
        self._endpoint = endpoint
        self._frames = frames or FrameClock(0)
        self._deadlines = Deadlines()

    async def ask(self, call: Call) -> Reply:
        """One whole answer."""

        async def whole() -> Reply:
            async with await self._try(call) as response:
                return await self.read(response)

        return await self._repeated(call, whole)

    async def read(self, response: aiohttp.ClientResponse) -> Reply:
        """The rest of an opened answer, as a whole."""
        body = bytearray()
        async for chunk in self.chunks(response):
            body += chunk
            if len(body) > self._endpoint.max_answer:
                raise ChatError(FAILED, f"an answer is longer than {self._endpoint.max_answer} bytes")
        return Reply(bytes(body), response.headers)

    async def chunks(self, response: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
        """The rest of an opened answer, as the network brings it."""
        with self.reader(response) as reader:
            while chunk := await reader.next():
                yield chunk

    @contextmanager
    def reader(self, response: aiohttp.ClientResponse) -> Iterator[AnswerReader]:
        """Reads the rest of an opened answer."""
        content, endpoint = response.content, self._endpoint
        with self._deadlines.within(lambda: content.set_exception(TimeoutError())) as deadline:
            yield AnswerReader(content, deadline, first=endpoint.first, silence=endpoint.silence)

    @asynccontextmanager
    async def open(self, call: Call) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer whose headers have come; leaving early closes its connection at once."""
        async with await self.begin(call) as response:
            yield response

    async def begin(self, call: Call) -> aiohttp.ClientResponse:
        """As `open`, for a caller that closes the answer itself."""
        return await self._repeated(call, lambda: self._try(call))

    @contextmanager
    def events(
        self,
        response: aiohttp.ClientResponse,
        listener: Listener = lambda _: False,
        watched: Callable[[], bool] = lambda: True,
    ) -> Iterator[EventStream]:
        """The events of an opened stream; `listener` and `watched` as in `UpstreamTurn`."""
        hold = Hold(self._frames, watched)
        with self.reader(response) as reader:
            try:
                yield EventStream(response, reader, hold, listener, self._endpoint.max_event)
            finally:
                hold.release()

    async def _repeated(self, call: Call, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await work()
        except ChatError as fault:
            failed: ChatError | None = fault
        # Nearly all calls are answered at the first try, and need none of this.
        async for attempt in stamina.retry_context(
            on=self._retry_rule(call), attempts=self._endpoint.attempts, timeout=None, wait_max=8.0
        ):
            with attempt:
                if failed is not None:
                    known, failed = failed, None
                    raise known
                return await work()
        raise AssertionError("a retry ends with an answer or an error")

    async def _try(self, call: Call) -> aiohttp.ClientResponse:
        async with AsyncExitStack() as stack:
            body: object = None
            headers = {**self._endpoint.headers, **call.headers}
            if call.form is not None:
                body = await stack.enter_async_context(call.form())
            elif call.json is not None:
                encoded = msgspec.json.encode(call.json)
                body = encoded if len(encoded) < _LARGE else io.BytesIO(encoded)
                headers["Content-Type"] = "application/json"
            if call.stream:
                # A compressed stream may be held back to fill its blocks.
                headers |= {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
            response = await self._request(call, body, headers)
        if response.status < 300:
            return response
        async with response:
            raise failure(response.status, response.headers, await _beginning(response))

    async def _request(self, call: Call, body: object, headers: dict[str, str]) -> aiohttp.ClientResponse:
        endpoint = self._endpoint
        # A stream is watched over by whoever reads it, from its first bytes on.
        patience = endpoint.connect + endpoint.first if call.stream else None
        silence = None if call.stream else endpoint.silence if call.patient else endpoint.answer
        try:
            async with asyncio.timeout(patience):
                return await self._session.request(
                    call.method,
                    endpoint.base_url + call.path,
                    params={**endpoint.query, **call.query} or None,
                    data=body,
                    headers=headers,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(
                        total=None, sock_connect=endpoint.connect, sock_read=silence
                    ),
                )
        except (TimeoutError, aiohttp.ClientError, OSError) as fault:
            raise fault_of(fault, UNREACHABLE) from fault

    def _retry_rule(self, call: Call) -> Callable[[Exception], bool | float | timedelta]:
        def rule(fault: Exception) -> bool | float | timedelta:
            if not isinstance(fault, ChatError) or not fault.problem.retry:
                return False
            if fault.problem is FAILED and not isinstance(fault, UpstreamError):
                # An answer that is no use will be none the next time.
                return False
            if (wait := fault.retry_after) is not None and wait > self._endpoint.max_retry_wait:
                return False
            if not surely_not_taken(fault) and not call.repeatable and call.method not in {"GET", "DELETE"}:
                return False
            return True if wait is None else wait

        return rule


def surely_not_taken(fault: ChatError) -> bool:
    """Whether the back end has done nothing of a call that failed with `fault`."""
    if isinstance(fault, UpstreamError):
        return fault.status < 500 or (fault.status == 503 and fault.code in _SURELY_NOT_TAKEN)
    return isinstance(fault, UnsentError)


def cut(fault: ChatError) -> bool:
    """Whether a call failed because its connection broke, whatever the back end has made of it."""
    lost = fault.problem in {CUT_OFF, UNREACHABLE}
    return lost and not isinstance(fault, UpstreamError | UnsentError)


async def drained(response: aiohttp.ClientResponse) -> None:
    """Wait a moment for the end of a stream that has nothing more to say, so that its connection can serve the next
    call.
    """
    try:
        async with asyncio.timeout(_LINGER):
            while await response.content.readany():
                pass
    except (TimeoutError, aiohttp.ClientError):
        # The answer is whole already; only the connection is lost.
        return


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """As much of an error's body as can be had: its status alone says enough."""
    body = bytearray()
    try:
        while len(body) < _MAX_ERROR_BODY and (chunk := await response.content.readany()):
            body += chunk
    except (aiohttp.ClientError, OSError):
        pass
    return bytes(body)
