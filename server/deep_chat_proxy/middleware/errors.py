"""Every error as an answer that Deep Chat can show: a real status and `{"error": one sentence, "thread_id"?}`.

Whether a response has started is asked here and nowhere else: after the start a second response would be
written into the first, so an error then only ends the connection (streams write their own error event).
"""

import asyncio
import logging
import math
from collections.abc import Mapping
from traceback import format_tb

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from deep_chat_proxy.errors import INTERNAL, ChatError, Problem
from deep_chat_proxy.middleware.session import SESSION

logger = logging.getLogger("deep_chat_proxy.http")

_SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address does not take this kind of request.",
    413: "The request is too large.",
}


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Outermost but for the access log, so that no error gets past it."""
    try:
        return await handler(request)
    except ChatError as fault:
        logger.info("%s %s: %s %s", request.method, request.path, fault.problem.code, fault.cause)
        return _answer(request, fault.problem, retry_after=fault.retry_after)
    except web.HTTPException as fault:
        if fault.status < 400:
            raise
        problem = Problem(
            "http", fault.status, _SENTENCES.get(fault.status, "The request could not be served.")
        )
        allow = {"Allow": fault.headers["Allow"]} if "Allow" in fault.headers else {}
        return _answer(request, problem, headers=allow)
    except asyncio.CancelledError:
        raise
    except Exception as fault:
        # The message of an unexpected exception may hold anything, so only its place is logged.
        place = "".join(format_tb(fault.__traceback__))
        logger.error("%s %s: unexpected %s\n%s", request.method, request.path, type(fault).__name__, place)  # noqa: TRY400
        if request.writer.output_size > 0:
            raise
        return _answer(request, INTERNAL)


def _answer(
    request: web.Request,
    problem: Problem,
    *,
    retry_after: float | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    body: dict[str, str] = {"error": problem.sentence}
    session = request.get(SESSION)
    if session is not None and session.thread_id is not None:
        body["thread_id"] = session.thread_id
    response = web.Response(
        status=problem.status,
        body=msgspec.json.encode(body),
        content_type="application/json",
        headers=headers,
    )
    if retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(retry_after))
    return response
