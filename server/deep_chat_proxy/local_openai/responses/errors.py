"""Errors of Responses and Conversations, in OpenAI's words."""

from deep_chat_proxy.local_openai.errors import ApiError


def response_not_found(response_id: str) -> ApiError:
    return ApiError(404, f"Response with id '{response_id}' not found.")


def previous_not_found(response_id: str) -> ApiError:
    return ApiError(
        400,
        f"Previous response with id '{response_id}' not found.",
        param="previous_response_id",
        code="previous_response_not_found",
    )


def previous_in_progress(response_id: str) -> ApiError:
    return ApiError(
        400, f"Previous response with id '{response_id}' is still in progress.", param="previous_response_id"
    )


def previous_not_supported() -> ApiError:
    """As llama.cpp says it."""
    return ApiError(400, "llama.cpp does not support 'previous_response_id'.")


def conversation_not_found(conversation_id: str) -> ApiError:
    return ApiError(404, f"Conversation with id '{conversation_id}' not found.")


def conversation_locked() -> ApiError:
    return ApiError(
        400,
        "Another process is currently operating on this conversation. Please retry in a few seconds.",
        param="conversation",
        code="conversation_locked",
    )


def one_place_only() -> ApiError:
    return ApiError(
        400,
        "Mutually exclusive parameters. Ensure you are only providing one of: 'previous_response_id' or "
        "'conversation'.",
        code="mutually_exclusive_parameters",
    )


def nothing_to_answer() -> ApiError:
    return ApiError(
        400,
        "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation_id' must be provided.",
        param="input",
        code="missing_required_parameter",
    )


def no_output_for(call_id: str) -> ApiError:
    return ApiError(400, f"No tool output found for function call {call_id}.", param="input")


def no_call_for(call_id: str) -> ApiError:
    return ApiError(
        400, f"No tool call found for function call output with call_id {call_id}.", param="input"
    )


def no_request_for(approval_request_id: str) -> ApiError:
    return ApiError(400, f"Approval request with id '{approval_request_id}' not found.", param="input")


def item_not_found(item_id: str) -> ApiError:
    return ApiError(404, f"Item with id '{item_id}' not found.", param="input")


def full(most: int, of_what: str) -> ApiError:
    return ApiError(400, f"A conversation can hold at most {most} {of_what}.")


def background_needs_store() -> ApiError:
    return ApiError(400, "Background responses require 'store' to be true.", param="background")


def background_not_supported() -> ApiError:
    return ApiError(400, "This server keeps no responses and so has no background mode.", param="background")


def not_in_background() -> ApiError:
    return ApiError(400, "Cannot cancel a synchronous response.")


def not_streamable(response_id: str) -> ApiError:
    return ApiError(
        400,
        f"Response with id '{response_id}' cannot be streamed: it was not made with background and stream.",
    )


def streamable_no_more(minutes: int) -> ApiError:
    return ApiError(400, f"Response can no longer be streamed because it is more than {minutes} minutes old.")
