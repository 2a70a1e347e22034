"""The application: state, middlewares, routes, end."""

import re
from collections.abc import Iterator

from aiohttp import web
from aiohttp.typedefs import Handler

from deep_chat_proxy.local_openai import files, models, transcriptions
from deep_chat_proxy.local_openai.headers import add_headers
from deep_chat_proxy.local_openai.middleware import check_beta, check_key, error_bodies, remember
from deep_chat_proxy.local_openai.options import DEFAULTS, LocalOptions
from deep_chat_proxy.local_openai.state import STATE, LocalState

Route = tuple[str, str, Handler]
COMMON_ROUTES: tuple[Route, ...] = (
    ("GET", "models", models.list_models),
    ("GET", "models/{model}", models.retrieve_model),
    ("GET", "files", files.list_files),
    ("POST", "files", files.upload),
    ("GET", "files/{file_id}", files.retrieve),
    ("DELETE", "files/{file_id}", files.delete),
    ("GET", "files/{file_id}/content", files.content),
    ("POST", "audio/transcriptions", transcriptions.transcribe),
)


def create_local_openai(options: LocalOptions = DEFAULTS) -> web.Application:
    """A server of its own, to be run at any host and port; the base URL of a client ends in `/v1`.

    `app[STATE]` shows what it holds. Everything is in memory and gone with the application.
    """
    app = web.Application(
        middlewares=[remember, error_bodies, check_key, check_beta], client_max_size=options.max_body
    )
    app[STATE] = LocalState(options)
    for method, path, handler in _routes(options):
        # Deep Chat's direct connection joins a base URL that ends in a slash with "/threads".
        app.router.add_route(method, "/v1{slashes:/+}" + re.sub(r"\{(\w+)\}", r"{\1:[^/]+}", path), handler)
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(_end_runs)
    # Once more, for a run that was started while the server was on its way out.
    app.on_cleanup.append(_end_runs)
    return app


def _routes(options: LocalOptions) -> Iterator[Route]:
    """The paths of every protocol that is spoken, of which alone the code is loaded."""
    yield from COMMON_ROUTES
    if options.assistants:
        from deep_chat_proxy.local_openai.assistants.routes import ROUTES as ASSISTANTS  # noqa: PLC0415

        yield from ASSISTANTS
    if options.responses:
        from deep_chat_proxy.local_openai.responses.routes import (  # noqa: PLC0415
            CONVERSATIONS_ROUTES,
            RESPONSES_ROUTES,
        )

        yield from RESPONSES_ROUTES
        yield from CONVERSATIONS_ROUTES if options.conversations else ()
    if options.chat:
        from deep_chat_proxy.local_openai.chat.routes import ROUTES as CHAT  # noqa: PLC0415

        yield from CHAT


async def _end_runs(app: web.Application) -> None:
    await app[STATE].close()
