"""What every request passes: it is remembered, its key is looked at, and what goes wrong becomes an error body."""

import logging
import time

from aiohttp import ClientConnectionResetError, web
from aiohttp.typedefs import Handler

from deep_chat_proxy.local_openai import body, errors
from deep_chat_proxy.local_openai.errors import ApiError
from deep_chat_proxy.local_openai.headers import STARTED, preflight
from deep_chat_proxy.local_openai.state import STATE

INVALID_KEY = "invalid"
"""The key that is refused; any other is taken."""
ASSISTANTS_FAMILY = frozenset({"assistants", "threads"})
"""First parts of a path that demand the OpenAI-Beta header."""
logger = logging.getLogger("deep_chat_proxy.local_openai")


@web.middleware
async def remember(request: web.Request, handler: Handler) -> web.StreamResponse:
    request[STARTED] = time.perf_counter()
    request.app[STATE].requests.append((request.method, request.path))
    if request.method == "OPTIONS":
        return preflight(request)
    return await handler(request)


@web.middleware
async def error_bodies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors in OpenAI's form. After the first byte of a stream nothing more can be said, so they go on up."""
    try:
        return await handler(request)
    except ApiError as error:
        failure = error
    except web.HTTPMethodNotAllowed:
        failure = errors.wrong_method(request.method, request.path)
    except web.HTTPNotFound:
        failure = errors.unknown_url(request.method, request.path)
    except web.HTTPRequestEntityTooLarge:
        failure = errors.too_large(request.client_max_size)
    except (web.RequestPayloadError, web.HTTPBadRequest):
        failure = ApiError(400, "The body of the request could not be read.")
    except ClientConnectionResetError:
        raise
    except Exception:
        if request.writer.output_size > 0:
            raise
        logger.exception("%s %s failed", request.method, request.path)
        failure = errors.server_error()
    response = body.answer(failure.body(), status=failure.status)
    if failure.retry_after is not None:
        response.headers["Retry-After"] = str(failure.retry_after)
    return response


@web.middleware
async def check_key(request: web.Request, handler: Handler) -> web.StreamResponse:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.casefold() != "bearer" or not key.strip():
        raise errors.no_key()
    if key.strip() == INVALID_KEY:
        raise errors.wrong_key(key.strip())
    return await handler(request)


@web.middleware
async def check_beta(request: web.Request, handler: Handler) -> web.StreamResponse:
    parts = [part for part in request.path.split("/") if part]
    if request.app[STATE].options.assistants and parts[1:2] and parts[1] in ASSISTANTS_FAMILY:
        betas = {beta.strip() for beta in request.headers.get("OpenAI-Beta", "").split(",")}
        if "assistants=v1" in betas:
            raise errors.old_beta_header()
        if "assistants=v2" not in betas:
            raise errors.no_beta_header()
    return await handler(request)
