"""The turn that the running code belongs to, for log lines."""

from contextvars import ContextVar

current_turn: ContextVar[str] = ContextVar("current_turn", default="-")
