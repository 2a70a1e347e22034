"""Every way a turn or request can go wrong, as a visitor is told of it.

A `Problem` is data: the HTTP status, one sentence that is safe to show and says what to do, and
whether the same message may work later. `ChatError` carries one through the code, with a cause for
the log that never reaches a page.
"""

from msgspec import Struct


class Problem(Struct, frozen=True):
    """One row of the table below; `retry` says whether sending the same message again makes sense."""

    code: str
    status: int
    sentence: str
    retry: bool = False


class ChatError(Exception):
    """Raised wherever a request or turn cannot go on.

    `problem` is what the visitor gets; `cause` goes to the log only; `retry_after` is in seconds.
    """

    def __init__(self, problem: Problem, cause: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(problem.code, cause)
        self.problem = problem
        self.cause = cause
        self.retry_after = retry_after


def refused(status: int, sentence: str, *, code: str = "bad_request") -> ChatError:
    """The visitor's request cannot be taken as it is; `sentence` says what to change."""
    return ChatError(Problem(code, status, sentence))


# The visitor's side.
THREAD_NOT_FOUND = Problem(
    "thread_not_found", 404, "This conversation was not found. Please start a new one."
)
FILE_NOT_FOUND = Problem("file_not_found", 404, "This file was not found.")
TOO_MANY_THREADS = Problem(
    "too_many_threads",
    409,
    "You have as many conversations as there can be. Please delete some before you start a new one.",
)
TURN_ACTIVE = Problem(
    "turn_active",
    409,
    "The previous message is still being answered. Please wait or stop it first.",
    retry=True,
)
STOPPED = Problem("stopped", 409, "The message was stopped before it was answered.", retry=True)
SERVER_BUSY = Problem(
    "server_busy",
    503,
    "Too many conversations are going on right now. Please try again in a moment.",
    retry=True,
)
SHUTTING_DOWN = Problem(
    "shutting_down", 503, "The server is restarting. Please try again in a moment.", retry=True
)

# The back end's side: one table for all dialects.
INVALID_KEY = Problem(
    "invalid_key",
    502,
    "The chat service is not set up correctly (its access was refused). Please tell the site's owner.",
)
NO_QUOTA = Problem("no_quota", 503, "The chat service has used up its quota. Please tell the site's owner.")
RATE_LIMITED = Problem(
    "rate_limited",
    429,
    "The assistant is getting too many requests. Please try again in a moment.",
    retry=True,
)
OVERLOADED = Problem(
    "overloaded", 503, "The assistant is overloaded right now. Please try again in a moment.", retry=True
)
NOT_CONFIGURED = Problem(
    "not_configured",
    502,
    "The chat service is not set up correctly (its assistant or model was not found). Please tell the site's owner.",
)
CONTEXT_TOO_LONG = Problem(
    "context_too_long",
    422,
    "This conversation or message has become too long. Please shorten it or start a new conversation.",
)
CONTENT_FILTER = Problem(
    "content_filter", 422, "The assistant could not answer this message because of its content rules."
)
REJECTED = Problem(
    "rejected",
    502,
    "The assistant could not take this message. Please change it or start a new conversation.",
)
TIMED_OUT = Problem("timed_out", 504, "The assistant took too long to answer. Please try again.", retry=True)
UNREACHABLE = Problem(
    "unreachable", 502, "The assistant could not be reached. Please try again in a moment.", retry=True
)
FAILED = Problem("failed", 502, "The assistant ran into an error. Please try again.", retry=True)
CUT_OFF = Problem(
    "cut_off",
    502,
    "The connection to the assistant was lost before the answer was complete. Please try again.",
    retry=True,
)
EMPTY_ANSWER = Problem(
    "empty_answer", 502, "The assistant ended without an answer. Please try again.", retry=True
)
TOO_MANY_ROUNDS = Problem(
    "too_many_rounds",
    502,
    "The assistant used its tools too often without coming to an answer. Please ask differently.",
)
INTERNAL = Problem("internal", 500, "Something went wrong on the server. Please try again.", retry=True)
