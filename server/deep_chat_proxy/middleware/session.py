"""Who a visitor is, and which thread they are in: by the session cookie, or, without any, by what a request names.

The cookie is written where a response starts (`on_response_prepare`), because that is the one place that
JSON, streams and errors share; aiohttp has rendered its own cookies by then, so the header is added raw. A
change after the start is too late, so handlers choose the thread before they answer.
"""

import secrets
import time

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from deep_chat_proxy.middleware.cookie import CookieRules
from deep_chat_proxy.middleware.sealing import Sealer, SessionData

# How old a token may become before its use renews it, in seconds; half its life where that is shorter.
_RENEW_AFTER = 24 * 3600


class Session:
    """The visitor of one request. Setting `thread_id` makes the answer carry a new cookie, where there are any.

    `stale`: the cookie is to be renewed. `handle_lifetime` is None where cookies say who a visitor is; otherwise
    whoever names a thread is its visitor, until so many seconds after its last use.
    """

    def __init__(
        self, data: SessionData, *, stale: bool = False, handle_lifetime: float | None = None
    ) -> None:
        self._data = data
        self.stale = stale
        self.handle_lifetime = handle_lifetime
        self.changed = False
        self.ended = False

    @property
    def visitor(self) -> str:
        """Unguessable id of the visitor; never leaves the server but inside the sealed cookie. Without cookies that of
        a thread that is made now, and of no other.
        """
        return self._data.visitor

    @property
    def thread_id(self) -> str | None:
        """The visitor's current thread."""
        return self._data.thread_id

    @thread_id.setter
    def thread_id(self, thread_id: str | None) -> None:
        if thread_id != self._data.thread_id:
            self._data = SessionData(self.visitor, thread_id)
            self.changed = True

    @property
    def data(self) -> SessionData:
        """What the cookie is to hold."""
        return self._data

    def end(self) -> None:
        """Have the answer take the cookie away; the visitor's next request is a new visitor's."""
        self._data = SessionData(self.visitor)
        self.ended = True


SESSION: web.RequestKey[Session] = web.RequestKey("session", Session)


def cookie_session(sealer: Sealer, rules: CookieRules) -> Middleware:
    """Reads the cookie into `request[SESSION]`; a visitor without a valid one gets a new session."""

    @web.middleware
    async def session(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[SESSION] = _read(sealer, rules, request)
        return await handler(request)

    return session


def handle_session(lifetime: float) -> Middleware:
    """Has every request be a new visitor's, who may touch what they name; no cookie is read."""

    @web.middleware
    async def session(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[SESSION] = Session(_newcomer(), handle_lifetime=lifetime)
        return await handler(request)

    return session


def _read(sealer: Sealer, rules: CookieRules, request: web.Request) -> Session:
    opened = next(filter(None, map(sealer.unseal, rules.tokens(request))), None)
    if opened is None:
        return Session(_newcomer())
    old = time.time() - opened.made_at > min(_RENEW_AFTER, sealer.lifetime / 2)
    return Session(opened.data, stale=old or not opened.newest_key)


def _newcomer() -> SessionData:
    return SessionData(secrets.token_urlsafe(16))


def setup_cookie(app: web.Application, sealer: Sealer, rules: CookieRules) -> None:
    """Write the cookie of sessions that changed where their response starts; an error renews none."""

    async def write(request: web.Request, response: web.StreamResponse) -> None:
        session = request.get(SESSION)
        if session is None:
            return
        if session.ended or session.changed or (session.stale and response.status < 400):
            token = None if session.ended else sealer.seal(session.data)
            response.headers.add("Set-Cookie", rules.written(request, token))

    app.on_response_prepare.append(write)
