"""The session cookie as it travels: its name, its attributes, and every value that a request has of it.

Written raw, because `SimpleCookie` knows `Partitioned` only from Python 3.14 on; read raw, because a mapping keeps
one of several cookies of a name, and which of them came first is the browser's choice.
"""

from collections.abc import Iterator
from typing import Literal

from aiohttp import web
from msgspec import Struct

NAME = "deep_chat_session"
SECURE_NAME = f"__Host-{NAME}"
"""Browsers take a cookie of this name from nobody but the host itself, over TLS: a page of a neighbouring domain
could toss the plain one at us, and have a visitor go on in a session that it knows."""


class CookieRules(Struct, frozen=True):
    """How the cookie is set; `lifetime` in seconds."""

    lifetime: float
    secure: Literal["auto", "always", "never"] = "auto"
    same_site: Literal["lax", "strict", "none"] = "lax"
    partitioned: bool = False

    def name(self, request: web.Request) -> str:
        """What the cookie of this request is called; none of another name counts."""
        return SECURE_NAME if self._is_secure(request) else NAME

    def tokens(self, request: web.Request) -> Iterator[str]:
        """The values that a request has of it, in their order."""
        wanted = self.name(request)
        for header in request.headers.getall("Cookie", []):
            for pair in header.split(";"):
                name, _, value = pair.strip().partition("=")
                if name == wanted:
                    yield value.strip('"')

    def written(self, request: web.Request, token: str | None) -> str:
        """The `Set-Cookie` that keeps `token`, or, where that is None, lets go of what is kept."""
        parts = [
            f"{self.name(request)}={token or ''}",
            f"Max-Age={int(self.lifetime) if token else 0}",
            "Path=/",
            "HttpOnly",
            f"SameSite={self.same_site.capitalize()}",
            *(["Secure"] if self._is_secure(request) else []),
            *(["Partitioned"] if self.partitioned else []),
        ]
        return "; ".join(parts)

    def _is_secure(self, request: web.Request) -> bool:
        # Without it browsers drop a cookie for all sites; on localhost they take one that has it without TLS too.
        wanted = self.secure == "always" or self.same_site == "none"
        return self.secure != "never" and (wanted or came_over_tls(request))


def came_over_tls(request: web.Request) -> bool:
    """Whether the visitor's side of the connection is TLS; a proxy in front says so in X-Forwarded-Proto.

    Anyone may send that header, and changes nothing by it but the name and the Secure mark of their own cookie.
    """
    return request.secure or request.headers.get("X-Forwarded-Proto", "").split(",")[0].strip() == "https"
