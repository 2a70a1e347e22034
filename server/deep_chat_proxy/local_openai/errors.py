"""Errors as OpenAI words them: `{"error": {message, type, param, code}}` under a status.

The texts are those that real answers were seen with, as clients match on them.
"""

from collections.abc import Sequence

INVALID_REQUEST = "invalid_request_error"


class ApiError(Exception):
    """Ends a request with `status` (an HTTP status of 400 and above) and an error body.

    `retry_after` is in seconds and goes into the header of that name.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = INVALID_REQUEST,
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.param = param
        self.code = code
        self.retry_after = retry_after

    def body(self) -> dict[str, dict[str, str | None]]:
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


def not_found(what: str, its_id: str) -> ApiError:
    return ApiError(404, f"No {what} found with id '{its_id}'.")


def bad_id(param: str, given: str, prefix: str) -> ApiError:
    return ApiError(
        400,
        f"Invalid '{param}': '{given}'. Expected an ID that begins with '{prefix}'.",
        param=param,
        code="invalid_value",
    )


def missing(param: str) -> ApiError:
    return ApiError(
        400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
    )


def invalid_value(param: str, why: str) -> ApiError:
    return ApiError(400, f"Invalid value for '{param}': {why}", param=param, code="invalid_value")


def invalid_type(param: str, why: str) -> ApiError:
    return ApiError(400, f"Invalid type for '{param}': {why}", param=param, code="invalid_type")


def too_long(param: str, longest: str) -> ApiError:
    message = f"Invalid '{param}': string too long. Expected a string with maximum length {longest}."
    return ApiError(400, message, param=param, code="string_above_max_length")


def no_key() -> ApiError:
    return ApiError(
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization header using "
        "Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
    )


def wrong_key(key: str) -> ApiError:
    return ApiError(401, f"Incorrect API key provided: {key}.", code="invalid_api_key")


def no_beta_header() -> ApiError:
    return ApiError(
        400,
        "You must provide the 'OpenAI-Beta' header to access the Assistants API. "
        "Please try again by setting the header 'OpenAI-Beta: assistants=v2'.",
        code="invalid_beta",
    )


def old_beta_header() -> ApiError:
    return ApiError(
        400,
        "The v1 Assistants API has been deprecated. "
        "Please try again by setting the header 'OpenAI-Beta: assistants=v2'.",
        code="invalid_beta",
    )


def unknown_url(method: str, path: str) -> ApiError:
    return ApiError(404, f"Invalid URL ({method} {path})")


def wrong_method(method: str, path: str) -> ApiError:
    return ApiError(405, f"Not allowed to {method} on {path}.")


def too_large(largest: int) -> ApiError:
    return ApiError(413, f"Maximum content size limit ({largest}) exceeded.")


def server_error() -> ApiError:
    return ApiError(
        500, "The server had an error while processing your request. Sorry about that!", kind="server_error"
    )


def message_on_active_run(thread_id: str, run_id: str) -> ApiError:
    return ApiError(400, f"Can't add messages to {thread_id} while a run {run_id} is active.")


def run_on_active_run(thread_id: str, run_id: str) -> ApiError:
    return ApiError(400, f"Thread {thread_id} already has an active run {run_id}.")


def outputs_not_expected(status: str) -> ApiError:
    return ApiError(400, f'Runs in status "{status}" do not accept tool outputs.')


def other_outputs_expected(expected: Sequence[str], got: Sequence[str]) -> ApiError:
    return ApiError(400, f"Expected tool outputs for call_ids {list(expected)}, got {list(got)}")


def not_cancellable(status: str) -> ApiError:
    return ApiError(400, f"Cannot cancel run with status '{status}'.")


def not_downloadable(purpose: str) -> ApiError:
    return ApiError(400, f"Not allowed to download files of purpose: {purpose}")


def thread_full(most: int, of_what: str) -> ApiError:
    return ApiError(400, f"A thread can hold at most {most} {of_what}.")
