"""The page: `GET /` and, under `/page/`, what it loads; nothing comes from another origin.

Installed from a wheel the page lies beside the package, put there by `server/hatch_build.py`; in a
checkout it is `web/`, with Deep Chat where `npm ci` puts it. Both are looked at once, at set-up, and only
the files found then are served: a path in a URL is looked up, never joined to a folder.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

_INSTALLED = Path(__file__).parents[1] / "_web"
_CHECKOUT = Path(__file__).parents[3] / "web"

# Where Deep Chat's own file lies in a wheel, which is also its name below /page/, and in a checkout.
_BUNDLE = "vendor/deep-chat.js"
_BUNDLE_FROM_NPM = "node_modules/deep-chat/dist/deepChat.bundle.js"

# What a browser must be told, as it may not guess (nosniff), and the system's own table of types varies.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

# Deep Chat 2.4.2 styles itself by constructed style sheets and by the style property of its elements,
# neither of which needs 'unsafe-inline'. It shows attached images and recordings as data: and blob: URLs.
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}

_HEADERS = {
    # A revalidation costs an empty 304, and the first load after an upgrade gets the new files.
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(), geolocation=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

_NO_BUNDLE = """\
The chat page cannot be shown: its one dependency, the Deep Chat component, is not installed.

In the checkout, run

    npm ci

in the folder web/, then start the server again. A release of deep-chat-proxy has it built in.
The API under api/ works without it.
"""


def setup_page(app: web.Application, *, folder: Path | None = None) -> None:
    """Add the page's routes to `app`, which may itself stand under a prefix.

    `folder` holds another page in place of our own, laid out as ours. It is looked through here, so call
    this before the event loop runs. Where Deep Chat's own file is missing, `GET /` answers 503 and says
    what to run.
    """
    if folder is None:
        folder = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT
    assets = _find_assets(folder)
    index = folder / "index.html"
    complete = index.is_file() and _BUNDLE in assets
    app.router.add_get("/", _file_handler(index) if complete else _say_what_is_missing)
    app.router.add_get("/page/{name:.+}", _asset_handler(assets))


def _find_assets(folder: Path) -> dict[str, Path]:
    assets = {file.name: file for file in folder.glob("*.*") if file.suffix in _TYPES}
    bundles = (folder / _BUNDLE_FROM_NPM, folder / _BUNDLE)
    return assets | {_BUNDLE: bundle for bundle in bundles if bundle.is_file()}


def _file_handler(file: Path) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(_request: web.Request) -> web.StreamResponse:
        return web.FileResponse(file, headers=_HEADERS | {"Content-Type": "text/html; charset=utf-8"})

    return handle


def _asset_handler(assets: dict[str, Path]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        file = assets.get(request.match_info["name"])
        if file is None:
            raise web.HTTPNotFound(headers=_HEADERS, text="The page has no such file.\n")
        return web.FileResponse(file, headers=_HEADERS | {"Content-Type": _TYPES[file.suffix]})

    return handle


async def _say_what_is_missing(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=503, headers=_HEADERS, text=_NO_BUNDLE)
