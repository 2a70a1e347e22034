"""Where a page finds a file: our own URL, never the back end's."""

import re
from collections.abc import Callable
from urllib.parse import unquote

from aiohttp import web

from deep_chat_proxy.middleware.cookie import came_over_tls
from deep_chat_proxy.middleware.origin import is_own
from deep_chat_proxy.turn.answer.own_files import OWN_FILE
from deep_chat_proxy.turn.events import ChatFile, FileKind
from deep_chat_proxy.turn.filenames import safe_name

FILE_ROUTE = "file"

_OWN_LINK = re.compile(rf"\]\({OWN_FILE}(?P<file_id>[\w-]+)/(?P<name>[\w.%-]+)\)", re.ASCII)


def base_for(request: web.Request) -> str:
    """What comes before a path for the page that asks: nothing for our own pages, our origin for those of others."""
    asking = request.headers.get("Origin")
    if asking is None or is_own(request, asking):
        return ""
    return f"{'https' if came_over_tls(request) else 'http'}://{request.host}"


def file_addresses(request: web.Request) -> Callable[[ChatFile], str]:
    """Addresses for the page that asks: paths for our own pages, whole URLs for pages of other origins."""
    base = base_for(request)
    # `post_message` belongs to the app that has the route, wherever that is mounted.
    route = request.match_info.apps[-1].router[FILE_ROUTE]

    def address(file: ChatFile) -> str:
        # A name with a slash, or one of dots, would make another path of it.
        return base + str(route.url_for(file_id=file.file_id, name=safe_name(file.name)))

    return address


def with_addresses(text: str, address: Callable[[ChatFile], str]) -> str:
    """An answer's text with links to the visitor's own files as a page can follow them."""
    if OWN_FILE not in text:
        return text

    def link(found: re.Match[str]) -> str:
        file = ChatFile(found["file_id"], unquote(found["name"]), FileKind.ANY)
        # A parenthesis would end the link.
        return f"]({address(file).replace('(', '%28').replace(')', '%29')})"

    return _OWN_LINK.sub(link, text)
