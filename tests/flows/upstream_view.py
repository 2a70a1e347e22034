"""What a back end holds of its conversations, without the ids and times that no two have in common."""

from typing import Any

from deep_chat_proxy.local_openai.state import LocalState

_LEFT_OUT = {"id", "call_id", "created_at", "status", "annotations", "logprobs"}


def conversations(state: LocalState) -> list[list[Any]]:
    """Every thread and conversation as the list of what was said on it, oldest first."""
    threads = [
        [(message.role, _plain(message.content)) for message in kept.messages.values()]
        for kept in state.threads.values()
    ]
    kept_items = [[_plain(item) for item in kept.items.values()] for kept in state.conversations]
    return [*threads, *kept_items]


def active(state: LocalState) -> list[Any]:
    """What goes on there."""
    return [*state.active_runs(), *state.active_responses()]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items() if name not in _LEFT_OUT}
    return [_plain(each) for each in value] if isinstance(value, list) else value
