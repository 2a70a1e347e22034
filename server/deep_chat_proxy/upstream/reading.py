"""Reading an opened answer as the network brings it."""

from collections import deque
from contextlib import suppress

import aiohttp

from deep_chat_proxy.errors import CUT_OFF, TIMED_OUT, UNREACHABLE, ChatError, Problem
from deep_chat_proxy.upstream.deadlines import Deadline


class UnsentError(ChatError):
    """The back end could not be reached, so it surely did not take the call."""


class AnswerReader:
    """The rest of an answer, piece by piece. Silence is watched over by `deadline`: `first` seconds of it may come before
    the first piece, `silence` between two. The time that whoever reads needs for a piece is theirs.
    """

    def __init__(
        self, content: aiohttp.StreamReader, deadline: Deadline, *, first: float, silence: float
    ) -> None:
        self._content = content
        self._deadline = deadline
        self._patience = first
        self._silence = silence
        self._fault: ChatError | None = None

    async def next(self) -> bytes:
        """What has come, or else what comes next; b"" at the end. Raises ChatError, behind all that came before."""
        if self._fault is not None:
            raise self._fault
        self._deadline.expect(self._patience)
        self._patience = self._silence
        try:
            return await _all_there(self._content)
        except (TimeoutError, aiohttp.ClientError, OSError) as fault:
            self._fault = fault_of(fault, CUT_OFF)
            self._fault.__cause__ = fault
            if rest := _left(self._content):
                return rest
            raise self._fault from fault
        finally:
            self._deadline.lift()


def fault_of(fault: Exception, lost: Problem) -> ChatError:
    """An exception of aiohttp's as a ChatError: `lost` where the connection broke."""
    kind = type(fault).__name__
    match fault:
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return UnsentError(UNREACHABLE, f"no connection: {kind}")
        case TimeoutError():
            return ChatError(TIMED_OUT, f"the back end was silent: {kind}")
        case _:
            return ChatError(lost, f"the connection broke: {kind}")


async def _all_there(content: aiohttp.StreamReader) -> bytes:
    """As `StreamReader.readany`, which looks at the connection again for each HTTP chunk: with a token in each, that costs
    more than all else that is done for them. So all but the last are taken out of its hands, which has no other way.
    """
    if (fault := content.exception()) is not None:
        raise fault
    if content.is_eof():
        return content.read_nowait(-1)
    pieces: deque[bytes] = content._buffer  # noqa: SLF001
    while not pieces and not content.is_eof():
        await content._wait("readany")  # noqa: SLF001
    if len(pieces) < 2:
        return content.read_nowait(-1) if pieces else b""
    last = pieces.pop()
    early = b"".join(pieces)
    pieces.clear()
    pieces.append(last)
    content._size -= len(early)  # noqa: SLF001
    content._cursor += len(early)  # noqa: SLF001
    return early + content.read_nowait(-1)


def _left(content: aiohttp.StreamReader) -> bytes:
    """What came before a connection broke and was not read yet, which aiohttp gives to nobody then."""
    with suppress(TimeoutError):
        return content._read_nowait(-1) if content._buffer else b""  # noqa: SLF001 - there is no other way
    return b""
