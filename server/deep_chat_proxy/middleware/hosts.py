"""Under which names the server may be asked for.

A page can give its own name the address of this server (DNS rebinding): for the browser, both are one origin then,
and only the Host header says that it is not ours that was meant. `X-Forwarded-Host` says nothing: anyone may send it.
"""

from collections.abc import Collection

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from deep_chat_proxy.errors import ChatError, Problem, refused

_WRONG_HOST = Problem(
    "wrong_host",
    421,
    "This server does not answer to that name; its owner can add it to DEEP_CHAT_ALLOWED_HOSTS.",
)


def host_middleware(allowed: Collection[str], probes: Collection[web.AbstractResource]) -> Middleware:
    """Refuses requests under other names than `allowed` (where there are any), but for those to `probes`, which a load
    balancer asks for by an address. `*.example.com` allows every name below that one, not itself.
    """
    names = frozenset(map(_plain, allowed))

    @web.middleware
    async def host(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.match_info.route.resource not in probes:
            # The target of a request may hold a name too, which aiohttp has come first.
            for asked in (request.headers.get("Host", ""), request.host):
                if not asked:
                    raise refused(400, "The request does not say which host it is for.")
                if names and not _is_among(names, host_name(asked)):
                    raise ChatError(_WRONG_HOST, f"the host {asked[:200]!r} is not an allowed one")
        return await handler(request)

    return host


def host_name(host: str) -> str:
    """The name in a Host header as lists hold it: lower case, without a port and a dot at its end."""
    bracket = host.rfind("]")
    colon = host.find(":", bracket + 1)
    return _plain(host if colon < 0 else host[:colon])


def _plain(name: str) -> str:
    return name.lower().removesuffix(".")


def _is_among(names: Collection[str], name: str) -> bool:
    return name in names or any(
        pattern.startswith("*.") and name.endswith(pattern[1:]) and len(name) >= len(pattern)
        for pattern in names
    )
