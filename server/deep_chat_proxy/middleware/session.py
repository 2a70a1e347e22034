"""The thread session cookie: who a visitor is, and which thread they are in, on every kind of answer.

The cookie is written where a response starts (`on_response_prepare`), because that is the one place that
JSON, streams and errors share; aiohttp has rendered its own cookies by then, so the header is added raw. A
change after the start is too late, so handlers choose the thread before they answer.
"""

import secrets
import time
from http.cookies import SimpleCookie
from typing import Literal

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from msgspec import Struct

from deep_chat_proxy.middleware.sealing import Sealer, SessionData

NAME = "deep_chat_session"

# How old a token may become before its use renews it, in seconds; half its life where that is shorter.
_RENEW_AFTER = 24 * 3600


class Session:
    """The visitor of one request. Setting `thread_id` makes the answer carry a new cookie."""

    def __init__(self, data: SessionData, *, dirty: bool) -> None:
        self._data = data
        self.dirty = dirty

    @property
    def visitor(self) -> str:
        """Unguessable id of the visitor; never leaves the server but inside the sealed cookie."""
        return self._data.visitor

    @property
    def thread_id(self) -> str | None:
        """The visitor's current thread."""
        return self._data.thread_id

    @thread_id.setter
    def thread_id(self, thread_id: str) -> None:
        if thread_id != self._data.thread_id:
            self._data = SessionData(self.visitor, thread_id)
            self.dirty = True

    @property
    def data(self) -> SessionData:
        """What the cookie is to hold."""
        return self._data


SESSION: web.RequestKey[Session] = web.RequestKey("session", Session)


class CookieRules(Struct, frozen=True):
    """How the cookie is set; `lifetime` in seconds."""

    lifetime: float
    secure: Literal["auto", "always", "never"]
    same_site: Literal["lax", "strict", "none"]


def session_middleware(sealer: Sealer) -> Middleware:
    """Reads the cookie into `request[SESSION]`; a visitor without a valid one gets a new session."""

    @web.middleware
    async def session(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[SESSION] = _read(sealer, request.cookies.get(NAME, ""))
        return await handler(request)

    return session


def _read(sealer: Sealer, token: str) -> Session:
    opened = sealer.unseal(token) if token else None
    if opened is None:
        return Session(SessionData(secrets.token_urlsafe(16)), dirty=False)
    old = time.time() - opened.made_at > min(_RENEW_AFTER, sealer.lifetime / 2)
    return Session(opened.data, dirty=old or not opened.newest_key)


def setup_session(app: web.Application, sealer: Sealer, rules: CookieRules) -> None:
    """Write the cookie of sessions that changed where their response starts."""

    async def write(request: web.Request, response: web.StreamResponse) -> None:
        session = request.get(SESSION)
        if session is not None and session.dirty:
            response.headers.add("Set-Cookie", _cookie(sealer.seal(session.data), rules, request))

    app.on_response_prepare.append(write)


def _cookie(token: str, rules: CookieRules, request: web.Request) -> str:
    jar: SimpleCookie = SimpleCookie()
    jar[NAME] = token
    cookie = jar[NAME]
    cookie["path"] = "/"
    cookie["max-age"] = str(int(rules.lifetime))
    cookie["httponly"] = True
    cookie["samesite"] = rules.same_site.capitalize()
    if rules.secure == "always" or (rules.secure == "auto" and came_over_tls(request)):
        cookie["secure"] = True
    return cookie.OutputString()


def came_over_tls(request: web.Request) -> bool:
    """Whether the visitor's side of the connection is TLS; a proxy in front says so in X-Forwarded-Proto.

    Anyone may send that header, and changes nothing by it but the Secure mark of their own cookie.
    """
    return request.secure or request.headers.get("X-Forwarded-Proto", "").split(",")[0].strip() == "https"
