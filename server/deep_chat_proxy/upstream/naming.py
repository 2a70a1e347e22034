"""The titles of cited files: a back end names these by its ids, and what they are called has to be asked for.

The text goes on meanwhile. A citation waits for its title, and those behind it wait for that one, so that they keep
their order; before an answer ends, or goes on to tools, all of them are told.
"""

import asyncio
import logging
import re
from collections.abc import Sequence
from typing import TypeVar

from msgspec.structs import replace

from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.tasks import Tasks
from deep_chat_proxy.turn.context import current_turn
from deep_chat_proxy.turn.events import Cited, Completed, Failed, Stopped, ToolCallsRequested
from deep_chat_proxy.turn.filenames import safe_name
from deep_chat_proxy.upstream.files import Files

T = TypeVar("T")

logger = logging.getLogger("deep_chat_proxy.upstream")

# Of one turn.
_MOST_LOOKED_UP = 20
# Seconds for one name.
_LONGEST = 2.0
_LABEL = re.compile(r"†([^†】\n]{1,200})】")
_FILE_NAME = re.compile(r".{1,200}\.[A-Za-z0-9]{1,8}")


class Naming:
    """Gives the citations of one turn their titles."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._tasks = Tasks()
        self._asked: dict[str, asyncio.Task[str | None]] = {}
        self._unnamed: dict[str, str] = {}
        self._waiting: list[Cited] = []

    @property
    def is_asking(self) -> bool:
        """Whether citations wait for their titles."""
        return bool(self._waiting)

    async def named(self, events: Sequence[T | Cited]) -> Sequence[T | Cited]:
        """The same events, each citation with its title, some of them later than they came."""
        if not self._waiting and not any(isinstance(event, Cited) for event in events):
            return events
        found: list[T | Cited] = []
        for event in events:
            if isinstance(event, Cited):
                self._ask(event)
                self._waiting.append(event)
                continue
            if isinstance(event, Completed | Stopped | Failed | ToolCallsRequested):
                await self._all_asked()
            found += self._ready()
            found.append(event)
        return found + self._ready()

    def _ask(self, cited: Cited) -> None:
        file_id = cited.upstream_id
        if not cited.title and file_id not in self._asked and len(self._asked) < _MOST_LOOKED_UP:
            self._asked[file_id] = self._tasks.start(self._name(file_id), name="name a file")

    async def _name(self, file_id: str) -> str | None:
        try:
            async with asyncio.timeout(_LONGEST):
                return await self._files.name(file_id)
        except (ChatError, TimeoutError) as fault:
            cause = fault.cause if isinstance(fault, ChatError) else "it took too long"
            logger.info("turn %s: a cited file has no name: %s", current_turn.get(), cause)
            return None

    async def _all_asked(self) -> None:
        if self._waiting and self._asked:
            await asyncio.wait(self._asked.values())

    def _ready(self) -> list[Cited]:
        """Those in front whose titles are known."""
        count = 0
        while count < len(self._waiting) and self._is_known(self._waiting[count]):
            count += 1
        ready, self._waiting = self._waiting[:count], self._waiting[count:]
        return [cited if cited.title else replace(cited, title=self._title(cited)) for cited in ready]

    def _is_known(self, cited: Cited) -> bool:
        asked = self._asked.get(cited.upstream_id)
        return bool(cited.title) or asked is None or asked.done()

    def _title(self, cited: Cited) -> str:
        asked = self._asked.get(cited.upstream_id)
        if asked is not None and (name := asked.result()):
            return name
        label = _LABEL.search(cited.marker)
        if label is not None and _FILE_NAME.fullmatch(label[1].strip()):
            return safe_name(label[1])
        return self._unnamed.setdefault(cited.upstream_id, f"File {len(self._unnamed) + 1}")

    async def close(self) -> None:
        """Ask for nothing any more."""
        await self._tasks.close()
