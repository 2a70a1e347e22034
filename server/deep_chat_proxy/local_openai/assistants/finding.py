"""From the ids in a path to what they name, or to the error for what they do not."""

from aiohttp import web

from deep_chat_proxy.local_openai.assistants.kept import RunKept, ThreadKept
from deep_chat_proxy.local_openai.assistants.objects import Assistant, Message
from deep_chat_proxy.local_openai.errors import bad_id, not_found
from deep_chat_proxy.local_openai.state import STATE, LocalState


def _path_id(request: web.Request, param: str, prefix: str) -> str:
    given = request.match_info[param]
    if not given.startswith(prefix):
        raise bad_id(param, given, prefix)
    return given


def find_thread(request: web.Request) -> ThreadKept:
    """Raises ApiError (400 for what is no thread id at all, 404)."""
    thread_id = _path_id(request, "thread_id", "thread")
    if thread_id not in request.app[STATE].threads:
        raise not_found("thread", thread_id)
    return request.app[STATE].threads[thread_id]


def find_message(request: web.Request) -> Message:
    """Raises ApiError (400, 404)."""
    thread = find_thread(request)
    message_id = _path_id(request, "message_id", "msg")
    if message_id not in thread.messages:
        raise not_found("message", message_id)
    return thread.messages[message_id]


def find_run(request: web.Request) -> RunKept:
    """Raises ApiError (400, 404)."""
    thread = find_thread(request)
    run_id = _path_id(request, "run_id", "run")
    if run_id not in thread.runs:
        raise not_found("run", run_id)
    return thread.runs[run_id]


def find_assistant(state: LocalState, assistant_id: str) -> Assistant:
    """Raises ApiError (404)."""
    if assistant_id not in state.assistants:
        raise not_found("assistant", assistant_id)
    return state.assistants[assistant_id]
