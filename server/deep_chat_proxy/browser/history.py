"""What was said on a thread, as Deep Chat's `loadHistory` takes it: the same as was shown when it was said.

Roles are `user` and `ai`; a list is oldest first, and a last `false` says that there are older pages. Pages are
counted from the newest, so they shift while messages are added; the cursor in the `Link` header does not.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from aiohttp import web

from deep_chat_proxy.browser.addresses import base_for, file_addresses, with_addresses
from deep_chat_proxy.browser.frames import shown_file, shown_sources, whole_text
from deep_chat_proxy.browser.json_answer import json_answer
from deep_chat_proxy.browser.keys import CHAT
from deep_chat_proxy.browser.ownership import thread_meant
from deep_chat_proxy.browser.threads import number_of, page_of
from deep_chat_proxy.middleware.session import SESSION
from deep_chat_proxy.store.shelf import Shelf
from deep_chat_proxy.turn.events import ChatFile, Completed, Failed, Stopped
from deep_chat_proxy.turn.exchange import Exchange
from deep_chat_proxy.turn.journal import EndedTurn

Address = Callable[[ChatFile], str]
Item = dict[str, object]


async def get_history(request: web.Request) -> web.Response:
    """GET /api/history: a page of the thread that `thread_id` names, or of the current one: the `page` from the newest
    (0), or the one in front of the position `before`.
    """
    chat, session = request.app[CHAT], request[SESSION]
    before, page = number_of(request, "before"), page_of(request)
    thread = await thread_meant(chat.store, session, request.query.get("thread_id") or None)
    if thread is None:
        return json_answer([])
    size = chat.history_page
    exchanges, more = await chat.threads.history(
        thread.thread_id, before=before, size=size, skipped=0 if before is not None else page * size
    )
    gone = await _gone(chat.shelf, await chat.threads.keys(thread.thread_id), exchanges)
    writer = _Writer(thread.thread_id, file_addresses(request), gone)
    items: list[object] = [item for exchange in exchanges for item in writer.items(exchange)]
    answer = json_answer([*items, False] if more else items)
    if more:
        query = {"thread_id": thread.thread_id, "before": str(exchanges[0].position)}
        where = request.rel_url.with_query(query)
        answer.headers["Link"] = f'<{base_for(request)}{where}>; rel="next"'
    return answer


async def _gone(shelf: Shelf, keys: dict[str, str], exchanges: Sequence[Exchange]) -> set[str]:
    """The files of these exchanges that had to make room for newer ones."""
    asked = {file.file_id for exchange in exchanges for file in exchange.asked.files}
    made = {
        file.file_id for each in exchanges if each.answered is not None for _, file in each.answered.files
    }
    wanted = {file_id: key for file_id, key in keys.items() if file_id in asked | made}
    if not wanted:
        return set()
    there = await asyncio.to_thread(shelf.has, wanted.values())
    return {file_id for file_id, key in wanted.items() if key not in there}


class _Writer:
    """Writes exchanges of one thread for one page; files that are `gone` are named only."""

    def __init__(self, thread_id: str, address: Address, gone: Collection[str]) -> None:
        self._thread_id = thread_id
        self._address = address
        self._gone = gone

    def items(self, exchange: Exchange) -> Iterator[Item]:
        turn = {"turn_id": exchange.turn_id}
        asked = exchange.asked
        text: Item = {"text": asked.text} if asked.text else {}
        yield {"role": "user", **text, **self._files(asked.files), "custom": turn}
        if (answered := exchange.answered) is None:
            return
        if text := self._answer(answered):
            sources = shown_sources(answered.sources, self._address) if answered.sources else {}
            custom = {**turn, **_ended(answered), **sources}
            yield {"role": "ai", **text, "custom": custom, "_sessionId": self._thread_id}
        if isinstance(answered.end, Failed):
            yield {"error": answered.end.problem.sentence}

    def _answer(self, answered: EndedTurn) -> Item:
        files = self._files(file for _, file in answered.files)
        text = whole_text(with_addresses(answered.text, self._address), answered.end)
        return {**({"text": text} if text else {}), **files}

    def _files(self, files: Iterable[ChatFile]) -> Item:
        shown = [self._file(file) for file in files]
        return {"files": shown} if shown else {}

    def _file(self, file: ChatFile) -> dict[str, str]:
        # Deep Chat shows a file without an address as a chip with its name, where it is of no kind of its own.
        if not file.file_id or file.file_id in self._gone:
            return {"name": file.name, "type": "any"}
        return shown_file(file, self._address)


def _ended(answered: EndedTurn) -> dict[str, str]:
    match answered.end:
        case Stopped():
            return {"ended": "stopped"}
        case Failed():
            return {"ended": "failed"}
        case Completed(cut) if cut is not None:
            return {"ended": "cut"}
        case _:
            return {}
