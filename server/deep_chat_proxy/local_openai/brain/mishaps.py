"""Whatever can go wrong at a real back end, on request."""

import re
from collections.abc import Iterator

from deep_chat_proxy.local_openai.brain.actions import (
    Action,
    CutConnection,
    CutReason,
    CutShort,
    Expire,
    Fail,
    Fault,
    Hang,
    NewMessage,
    Refuse,
    RejectRequest,
    Say,
    StreamError,
)
from deep_chat_proxy.local_openai.brain.conversation import Conversation
from deep_chat_proxy.local_openai.brain.entry import Entry, Play, whole

BEGINNING = Say("This is the beginning of an answer that will not come to its end.")
QUOTA_TEXT = "You exceeded your current quota, please check your plan and billing details."
SERVER_TEXT = "The server had an error processing your request. Sorry about that!"
RATE_TEXT = "Rate limit reached for local-1: Limit 3, Used 3, Requested 1. Please try again in 1s."
OVERLOADED_TEXT = "The server is currently overloaded with other requests. Please try again later."

REJECTIONS = {
    400: RejectRequest(400, "The request was malformed, as you wished.", "invalid_request_error"),
    401: RejectRequest(401, "Incorrect API key provided: local.", "invalid_request_error", "invalid_api_key"),
    403: RejectRequest(403, "You are not allowed to run this model.", "invalid_request_error"),
    404: RejectRequest(404, "The model was not found.", "invalid_request_error", "model_not_found"),
    409: RejectRequest(409, "The resource was changed by another request.", "invalid_request_error"),
    429: RejectRequest(429, RATE_TEXT, "requests", "rate_limit_exceeded", retry_after=1),
    500: RejectRequest(500, SERVER_TEXT, "server_error"),
    502: RejectRequest(502, "Bad gateway.", "server_error"),
    503: RejectRequest(
        503, OVERLOADED_TEXT, "service_unavailable_error", "server_is_overloaded", retry_after=1
    ),
    504: RejectRequest(504, "The request took too long.", "server_error"),
}
NO_QUOTA = RejectRequest(429, QUOTA_TEXT, "insufficient_quota", "insufficient_quota")


def rejects(action: Action) -> bool:
    return isinstance(action, RejectRequest)


def _always(*actions: Action) -> Play:
    def play(_found: re.Match[str], _conversation: Conversation) -> tuple[Action, ...]:
        return actions

    return play


def _reject(found: re.Match[str], conversation: Conversation) -> Iterator[Action]:
    once = found[2] is not None
    if once and conversation.tried_before:
        yield Say(f"That was status {found[1]} the first time; this time it worked.")
    else:
        yield REJECTIONS[int(found[1])]


ENTRIES = (
    Entry(
        whole("fail"),
        "fail",
        "the run fails (server_error) after some text",
        _always(BEGINNING, Fail(Fault.SERVER_ERROR, "Sorry, something went wrong.")),
    ),
    Entry(
        whole("fail at once"),
        "fail at once",
        "the run fails before any text",
        _always(Fail(Fault.SERVER_ERROR, "Sorry, something went wrong.")),
    ),
    Entry(
        whole("fail with (?:a )?rate limit"),
        "fail with rate limit",
        "the run fails (rate_limit_exceeded)",
        _always(Fail(Fault.RATE_LIMIT, RATE_TEXT)),
    ),
    Entry(
        whole("run out of quota"),
        "run out of quota",
        "the run fails as the quota is used up",
        _always(Fail(Fault.RATE_LIMIT, QUOTA_TEXT)),
    ),
    Entry(
        whole("no quota"),
        "no quota",
        "the request is refused (429, insufficient_quota)",
        _always(NO_QUOTA),
    ),
    Entry(
        whole(rf"http\s+({'|'.join(map(str, REJECTIONS))})(\s+once)?"),
        "http 500, http 429 once",
        f"the request is refused with this status ({', '.join(map(str, REJECTIONS))}); once: not the second time",
        _reject,
    ),
    Entry(
        whole("error event"),
        "error event",
        "an error event inside the stream",
        _always(BEGINNING, StreamError(OVERLOADED_TEXT)),
    ),
    Entry(
        whole("cut (?:the )?connection"),
        "cut the connection",
        "the stream breaks off; the run goes on",
        _always(BEGINNING, CutConnection(), Say(" But the run went on without you, and here it ends.")),
    ),
    Entry(whole("hang"), "hang", "the run starts, then nothing more comes", _always(Hang())),
    Entry(
        whole("hang at once"),
        "hang at once",
        "the stream opens and not one event comes",
        _always(Hang(silent=True)),
    ),
    Entry(
        whole("refuse"),
        "refuse",
        "the model declines",
        _always(Refuse("I am sorry, but I cannot help with that.")),
    ),
    Entry(
        whole("stop short"),
        "stop short",
        "the answer ends at the token limit",
        _always(BEGINNING, CutShort(CutReason.LENGTH)),
    ),
    Entry(
        whole("content filter"),
        "content filter",
        "the answer is cut by the content filter",
        _always(BEGINNING, CutShort(CutReason.CONTENT_FILTER)),
    ),
    Entry(whole("expire"), "expire", "the run expires after some text", _always(BEGINNING, Expire())),
    Entry(whole("say nothing"), "say nothing", "the run completes with no message", _always()),
    Entry(
        whole("two messages"),
        "two messages",
        "two messages in one run",
        _always(Say("This is the first message."), NewMessage(), Say("And this is the second one.")),
    ),
)
