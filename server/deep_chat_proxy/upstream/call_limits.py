"""How many calls a model may make at once, and how large: a stream of them has no other end than these bounds."""

from collections.abc import Iterable

from deep_chat_proxy.errors import TOO_MANY_ROUNDS, ChatError
from deep_chat_proxy.turn.events import ToolCall

_MOST_CALLS = 128
# Characters of the arguments of all calls of one round.
_MOST_ARGUMENTS = 4_000_000


def check_calls(calls: Iterable[ToolCall]) -> None:
    """Raises ChatError where these are more than a turn may hold."""
    sizes = [len(call.arguments) for call in calls]
    check_count(len(sizes))
    check_size(sum(sizes))


def check_count(count: int) -> None:
    """Raises ChatError for too many calls, or requests for one."""
    if count > _MOST_CALLS:
        raise ChatError(TOO_MANY_ROUNDS, f"more than {_MOST_CALLS} calls at once")


def check_size(characters: int) -> None:
    """Raises ChatError for arguments that are too long."""
    if characters > _MOST_ARGUMENTS:
        raise ChatError(TOO_MANY_ROUNDS, f"arguments of more than {_MOST_ARGUMENTS} characters")
