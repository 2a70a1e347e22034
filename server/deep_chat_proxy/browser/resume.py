"""A turn followed once more: by a page that was reloaded, lost its connection, or is open in a second tab."""

from aiohttp import web

from deep_chat_proxy.browser.addresses import file_addresses
from deep_chat_proxy.browser.frames import FrameWriter
from deep_chat_proxy.browser.keys import CHAT
from deep_chat_proxy.browser.ownership import thread_meant
from deep_chat_proxy.middleware.session import SESSION
from deep_chat_proxy.turn.turns import attached

_MOST_DIGITS = 12


async def resume(request: web.Request) -> web.StreamResponse:
    """GET /api/chat/resume: the turn of the current thread, or of the one that `thread_id` names, that goes on or has
    just ended, as a stream; behind the event that `Last-Event-ID` names where that is one of its own. 204 where
    there is none, or nothing more of it.
    """
    chat, session = request.app[CHAT], request[SESSION]
    thread = await thread_meant(chat.store, session, request.query.get("thread_id") or None)
    turn = None if thread is None else await chat.turns.newest(thread.thread_id)
    if thread is None or turn is None:
        return web.Response(status=204)
    with attached(turn) as log:
        seen = _seen(request.headers.get("Last-Event-ID", ""), turn.log_id)
        if seen > log.last_id:
            seen = 0

        def writer() -> FrameWriter:
            made = FrameWriter(thread.thread_id, turn.turn_id, turn.log_id, file_addresses(request))
            if seen:
                made.go_on(with_text=log.has_all_text_until(seen))
            return made

        # Of the last events some show nothing, so their ids are not known to any browser.
        if log.state.ended and not writer().frames(log.anew(seen)[1], None):
            return web.Response(status=204)
        await chat.turns.saw(turn)
        return await chat.delivery.deliver(request, log, writer(), after=seen)


def _seen(event_id: str, log_id: str) -> int:
    """Which event of a log a browser had last; 0 for one of another log, or for what is no id of ours."""
    of_log, _, number = event_id.rpartition("-")
    if of_log != log_id or not (number.isascii() and number.isdigit()) or len(number) > _MOST_DIGITS:
        return 0
    return int(number)
