"""What a back end's refusals and failures mean: one table for all dialects.

Back ends answer errors as `{"error": {message, type, param, code}}`; some leave fields out or send
`{"detail": …}`. Their messages name threads, runs and keys, so they are read here to decide what happened
and then kept out of everything but the debug log.
"""

import logging
import math
import re
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from deep_chat_proxy.errors import (
    CONTENT_FILTER,
    CONTEXT_TOO_LONG,
    FAILED,
    INVALID_KEY,
    NO_QUOTA,
    NOT_CONFIGURED,
    OVERLOADED,
    RATE_LIMITED,
    REJECTED,
    TIMED_OUT,
    TURN_ACTIVE,
    ChatError,
    Problem,
)

logger = logging.getLogger("deep_chat_proxy.upstream")

_BY_CODE = {
    "insufficient_quota": NO_QUOTA,
    "billing_hard_limit_reached": NO_QUOTA,
    "invalid_api_key": INVALID_KEY,
    "rate_limit_exceeded": RATE_LIMITED,
    "slow_down": OVERLOADED,
    "server_is_overloaded": OVERLOADED,
    "model_not_found": NOT_CONFIGURED,
    "invalid_prompt": REJECTED,
    "context_length_exceeded": CONTEXT_TOO_LONG,
    # llama.cpp's, as a type.
    "exceed_context_size_error": CONTEXT_TOO_LONG,
    "string_above_max_length": CONTEXT_TOO_LONG,
    "content_filter": CONTENT_FILTER,
    "content_policy_violation": CONTENT_FILTER,
    # Another request works on the same conversation, such as one that was just stopped.
    "conversation_locked": TURN_ACTIVE,
}
# Says nothing that the status does not say better, as of a gateway that gave up.
_UNSPECIFIC = "server_error"
# A failed run says `rate_limit_exceeded` for a quota that is used up, too.
_BY_MESSAGE = {
    "exceeded your current quota": NO_QUOTA,
    "maximum context length": CONTEXT_TOO_LONG,
    # LM Studio's, where it says it at all.
    "when context the overflows": CONTEXT_TOO_LONG,
    "Cannot truncate prompt with n_keep": CONTEXT_TOO_LONG,
    "request timed out": TIMED_OUT,
}
_BY_STATUS = {
    401: INVALID_KEY,
    403: INVALID_KEY,
    404: NOT_CONFIGURED,
    408: TIMED_OUT,
    413: CONTEXT_TOO_LONG,
    429: RATE_LIMITED,
    503: OVERLOADED,
    504: TIMED_OUT,
    529: OVERLOADED,
}


# Nobody waits longer than a day, in seconds.
_LONGEST_WAIT = 86_400.0


class ErrorBody(Struct):
    """The inner error object; every field may be missing or of another type at some server."""

    message: str = ""
    type: str = ""
    code: str = ""


class UpstreamError(ChatError):
    """The back end said no: `status` is its HTTP status (0 within a stream), `message` its own words."""

    def __init__(
        self,
        problem: Problem,
        status: int,
        body: ErrorBody,
        *,
        retry_after: float | None = None,
        request_id: str = "",
    ) -> None:
        # A code that is not in the table may be anything, an id too.
        code = body.code if body.code in {*_BY_CODE, _UNSPECIFIC} else "other" if body.code else "-"
        # Kinds of errors are words; ids and keys have digits.
        kind = body.type if re.fullmatch(r"[a-z_]{1,40}", body.type) else "?" if body.type else "-"
        request = _label(request_id)
        super().__init__(
            problem,
            f"back end answered {status} type={kind} code={code} request={request}",
            retry_after=retry_after,
        )
        self.status = status
        self.message = body.message
        self.code = body.code


def failure(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """The error that an HTTP answer with a status of 300 or more means."""
    error = read_error(body)
    request_id = headers.get("x-request-id", "")
    logger.debug("back end answered %d: %s", status, error.message)
    problem = _problem(status, error)
    return UpstreamError(
        problem, status, error, retry_after=_seconds(headers.get("Retry-After")), request_id=request_id
    )


def stream_failure(error: ErrorBody) -> UpstreamError:
    """The error that an `error` event or a failed run means, in the middle of an answer."""
    logger.debug("back end failed in mid-answer: %s", error.message)
    return UpstreamError(_problem(0, error), 0, error)


def read_error(body: bytes) -> ErrorBody:
    """The error object in a body of any shape; empty where there is none."""
    try:
        return _error_in(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ErrorBody()


def _error_in(found: object) -> ErrorBody:
    if isinstance(found, dict):
        if (inner := found.get("error", found.get("detail"))) is not None:
            return _error_in(inner)
        return ErrorBody(**{name: _words(found.get(name)) for name in ErrorBody.__struct_fields__})
    return ErrorBody(message=_words(found))


def _words(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _problem(status: int, error: ErrorBody) -> Problem:
    for words, problem in _BY_MESSAGE.items():
        if words in error.message:
            return problem
    if not status and error.code.isdecimal():
        # Within a stream some say by the code what the status would have said.
        status = int(error.code[:3])
    found = _BY_CODE.get(error.code) or _BY_CODE.get(error.type) or _BY_STATUS.get(status)
    if found is not None:
        return found
    if 300 <= status < 400:
        # A redirect is not followed, as the key would go with it: the base URL is not the back end's.
        return NOT_CONFIGURED
    return REJECTED if 400 <= status < 500 else FAILED


def _seconds(value: str | None) -> float | None:
    """`Retry-After` in seconds; the form with a date is not sent by these back ends."""
    try:
        seconds = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT) if math.isfinite(seconds) else None


def _label(value: str) -> str:
    """A word of the back end's that the log may hold as it is."""
    return value if re.fullmatch(r"[\w.-]{1,80}", value, re.ASCII) else "?" if value else "-"
