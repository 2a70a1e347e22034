"""The page: `GET /` and, under `/page/`, what it loads; nothing comes from another origin.

Installed from a wheel the page lies beside the package, put there by `server/hatch_build.py`; in a
checkout it is `web/`, with Deep Chat where `npm ci` puts it. It is looked through when the app starts, and
only what is found then is served: a path in a URL is looked up, never joined to a folder.
"""

import asyncio
from pathlib import Path

from aiohttp import web

_INSTALLED = Path(__file__).parents[1] / "_web"
_CHECKOUT = Path(__file__).parents[3] / "web"

# Where Deep Chat's own file lies in a wheel, which is also its name below /page/, and in a checkout.
_BUNDLE = "vendor/deep-chat.js"
_BUNDLE_FILES = (_BUNDLE, "node_modules/deep-chat/dist/deepChat.bundle.js")

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

    `folder` holds another page in place of our own, laid out as ours. Where Deep Chat's own file is missing
    when the app starts, `GET /` answers 503 and says what to run.
    """
    page = _Page(folder)
    app.on_startup.append(page.find)
    app.router.add_get("/", page.show)
    app.router.add_get("/page/{name:.+}", page.send_asset)


class _Page:
    """The files of the page, as they lay in `folder` when the app started."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._index: Path | None = None
        self._assets: dict[str, Path] = {}

    async def find(self, _app: web.Application) -> None:
        await asyncio.to_thread(self._find)

    def _find(self) -> None:
        folder = self._folder or (_INSTALLED if _INSTALLED.is_dir() else _CHECKOUT)
        self._assets = {file.name: file for file in folder.glob("*.*") if file.suffix in _TYPES}
        bundle = next((file for name in _BUNDLE_FILES if (file := folder / name).is_file()), None)
        index = folder / "index.html"
        if bundle is not None and index.is_file():
            self._assets[_BUNDLE] = bundle
            self._index = index

    async def show(self, _request: web.Request) -> web.StreamResponse:
        if self._index is None:
            return web.Response(status=503, headers=_HEADERS, text=_NO_BUNDLE)
        return _file(self._index, "text/html; charset=utf-8")

    async def send_asset(self, request: web.Request) -> web.StreamResponse:
        file = self._assets.get(request.match_info["name"])
        if file is None:
            raise web.HTTPNotFound(headers=_HEADERS, text="The page has no such file.\n")
        return _file(file, _TYPES[file.suffix])


def _file(path: Path, content_type: str) -> web.FileResponse:
    return web.FileResponse(path, headers=_HEADERS | {"Content-Type": content_type})
