"""Gathers the calls of an answer from their pieces, in all the forms in which servers send them.

At OpenAI the first piece of a call has `index`, `id` and `name`, the others `index` and more of the arguments.
Others send a call in one piece, leave `index` or `id` out, give every call the index 0 with an id of its own, or
repeat the name with every piece.
"""

import secrets
from collections.abc import Sequence

import msgspec

from deep_chat_proxy.turn.events import ToolCall
from deep_chat_proxy.upstream.call_limits import check_count, check_size
from deep_chat_proxy.upstream.chat_completions.wire import CallPiece
from deep_chat_proxy.upstream.surrogates import joined, mended


class _Growing:
    """One call so far."""

    def __init__(self, call_id: str | None, index: int | None) -> None:
        self.call_id = call_id
        self.index = index
        self.name = ""
        self.arguments: list[str] = []

    @property
    def is_whole(self) -> bool:
        """Whether its arguments are a whole object, so that nothing of it can follow."""
        try:
            return isinstance(msgspec.json.decode("".join(self.arguments)), dict)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return False


class CallGatherer:
    """Takes pieces in their order. Raises ChatError where there are more than a turn may hold."""

    def __init__(self) -> None:
        self._calls: list[_Growing] = []
        self._characters = 0

    def __bool__(self) -> bool:
        return bool(self._calls)

    def take(self, pieces: Sequence[CallPiece]) -> None:
        """The pieces of one chunk, or the calls of a whole answer."""
        for piece in pieces:
            call = self._find(piece)
            if piece.function is None:
                continue
            if not call.name:
                call.name = piece.function.name or ""
            if piece.function.arguments is not None:
                call.arguments.append(_text(piece.function.arguments))
                self._characters += len(call.arguments[-1])
                check_size(self._characters)

    def _find(self, piece: CallPiece) -> _Growing:
        """The call that a piece belongs to; a new one where it belongs to none."""
        call_id = str(piece.id) if piece.id not in {None, ""} else None
        for call in reversed(self._calls):
            if call_id is not None and call.call_id == call_id and piece.index in {None, call.index}:
                return call
        for call in reversed(self._calls):
            same_place = piece.index is None or call.index == piece.index
            if same_place and not _begins_anew(call, call_id, piece):
                call.call_id = call.call_id or call_id
                return call
        self._calls.append(_Growing(call_id, piece.index))
        check_count(len(self._calls))
        return self._calls[-1]

    def gathered(self) -> tuple[ToolCall, ...]:
        """The calls, each under an id of its own."""
        found: dict[str, ToolCall] = {}
        for call in self._calls:
            call_id = call.call_id
            if call_id is None or call_id in found:
                call_id = f"call_{secrets.token_hex(12)}"
            found[call_id] = ToolCall(call_id, call.name, joined("".join(call.arguments)))
        return tuple(found.values())


def _begins_anew(call: _Growing, call_id: str | None, piece: CallPiece) -> bool:
    """Whether a piece at the place of `call` is the first one of another call."""
    if call_id is not None:
        return call.call_id is not None
    # Without an id of its own only a name can say that the next call begins.
    function = piece.function
    if function is None or not function.name or not call.name:
        return False
    begins = function.arguments if isinstance(function.arguments, str) else "{"
    return piece.index is None or (begins.startswith("{") and call.is_whole)


def _text(arguments: object) -> str:
    try:
        return arguments if isinstance(arguments, str) else msgspec.json.encode(mended(arguments)).decode()
    except RecursionError:
        return ""
