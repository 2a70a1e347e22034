"""Every error as an answer that Deep Chat can show: a real status and `{"error": one sentence, "thread_id"?}`.

Whether a response has started is asked here and nowhere else: after the start a second response would be
written into the first, so an error then only closes the connection (streams write their own error event).
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
from deep_chat_proxy.middleware.place import place
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
    except Exception as fault:
        if isinstance(fault, web.HTTPException) and fault.status < 400:
            raise
        gone = request.transport is None
        if gone:
            logger.info("%s: the visitor has gone", place(request))
        else:
            _log(request, fault)
        if gone or request.writer.output_size > 0:
            # A handler that ends so has its connection closed; aiohttp would log any other exception with its
            # message, and write an HTTPException as a second response into the first.
            raise asyncio.CancelledError from fault
        return _answer_to(request, fault)


def _log(request: web.Request, fault: Exception) -> None:
    match fault:
        case ChatError():
            logger.info("%s: %s %s", place(request), fault.problem.code, fault.cause)
        case web.HTTPException():
            pass
        case _:
            # The message of an unexpected exception may hold anything, so only its place is logged.
            where = "".join(format_tb(fault.__traceback__))
            logger.error("%s: unexpected %s\n%s", place(request), type(fault).__name__, where)


def _answer_to(request: web.Request, fault: Exception) -> web.Response:
    match fault:
        case ChatError():
            return _answer(request, fault.problem, retry_after=fault.retry_after)
        case web.HTTPException():
            sentence = _SENTENCES.get(fault.status, "The request could not be served.")
            allow = {"Allow": fault.headers["Allow"]} if "Allow" in fault.headers else {}
            return _answer(request, Problem("http", fault.status, sentence), headers=allow)
        case _:
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
    if not request.content.is_eof():
        # Who is told that the connection ends stops sending; the others are heard out for a while by aiohttp.
        response.force_close()
    if retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(retry_after))
    return response
