"""An answer as one JSON object: all text of the turn in order, its files, and the thread.

An object and never a list: the interceptor that pages use to carry `thread_id` reads it off the answer.
"""

from collections.abc import Callable

from aiohttp import web

from deep_chat_proxy.browser.addresses import with_addresses
from deep_chat_proxy.browser.frames import shown_file, shown_sources, whole_text
from deep_chat_proxy.browser.json_answer import json_answer
from deep_chat_proxy.errors import STOPPED, ChatError
from deep_chat_proxy.turn.events import ChatFile, Failed, Stopped
from deep_chat_proxy.turn.log import TurnLog


async def reply(
    log: TurnLog, thread_id: str, turn_id: str, address: Callable[[ChatFile], str]
) -> web.Response:
    """Wait for the turn's end and answer with all of it. Raises ChatError where it failed."""
    await log.ended()
    text = with_addresses(log.text, address)
    match log.end:
        case Failed(problem, retry_after):
            raise ChatError(problem, retry_after=retry_after)
        case Stopped() if not text and not log.files:
            raise ChatError(STOPPED)
        case end:
            shown = whole_text(text, end)
    body: dict[str, object] = {"text": shown, "thread_id": thread_id, "_sessionId": thread_id}
    body["turn_id"] = turn_id
    if log.files:
        body["files"] = [shown_file(file, address) for file in log.files]
    if log.sources:
        body["custom"] = shown_sources(log.sources, address)
    return json_answer(body)
