"""An answer as one JSON object: all text of the turn in order, its files, and the thread.

An object and never a list: the interceptor that pages use to carry `thread_id` reads it off the answer.
"""

from collections.abc import Callable

import msgspec
from aiohttp import web

from deep_chat_proxy.browser.frames import FILES_ONLY, cut_note, shown_file
from deep_chat_proxy.errors import STOPPED, ChatError
from deep_chat_proxy.turn.events import ChatFile, Completed, Failed, Stopped
from deep_chat_proxy.turn.log import TurnLog


async def reply(
    log: TurnLog, thread_id: str, turn_id: str, address: Callable[[ChatFile], str]
) -> web.Response:
    """Wait for the turn's end and answer with all of it. Raises ChatError where it failed."""
    await log.ended()
    text = log.text
    match log.end:
        case Failed(problem, retry_after):
            raise ChatError(problem, retry_after=retry_after)
        case Stopped() if not text and not log.files:
            raise ChatError(STOPPED)
        case Completed(cut) if cut is not None:
            text += cut_note(text, cut)
        case _:
            pass
    body: dict[str, object] = {"text": text or FILES_ONLY, "thread_id": thread_id, "_sessionId": thread_id}
    body["turn_id"] = turn_id
    if log.files:
        body["files"] = [shown_file(file, address) for file in log.files]
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")
