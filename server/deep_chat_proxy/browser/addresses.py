"""Where a page finds a file: our own URL, never the back end's."""

from collections.abc import Callable

from aiohttp import web

from deep_chat_proxy.middleware.origin import is_own
from deep_chat_proxy.middleware.session import came_over_tls
from deep_chat_proxy.turn.events import ChatFile
from deep_chat_proxy.turn.filenames import safe_name

FILE_ROUTE = "file"


def file_addresses(request: web.Request) -> Callable[[ChatFile], str]:
    """Addresses for the page that asks: paths for our own pages, whole URLs for pages of other origins."""
    asking = request.headers.get("Origin")
    base = ""
    if asking is not None and not is_own(request, asking):
        base = f"{'https' if came_over_tls(request) else 'http'}://{request.host}"
    # `post_message` belongs to the app that has the route, wherever that is mounted.
    route = request.match_info.apps[-1].router[FILE_ROUTE]

    def address(file: ChatFile) -> str:
        # A name with a slash, or one of dots, would make another path of it.
        return base + str(route.url_for(file_id=file.file_id, name=safe_name(file.name)))

    return address
