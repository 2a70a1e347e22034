"""Opening a thread with a message on it, so that a turn which is stopped meanwhile learns which one it has opened."""

import asyncio
from collections.abc import Mapping, Sequence

from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.tasks import Tasks, undisturbed
from deep_chat_proxy.upstream.assistants.api import AssistantsApi


class ThreadOpening:
    """Opens at most one thread for a turn."""

    def __init__(self, api: AssistantsApi) -> None:
        self._api = api
        self._tasks = Tasks()
        self._opening: asyncio.Task[str] | None = None

    async def open(self, messages: Sequence[Mapping[str, object]]) -> str:
        """The id of a new thread that holds `messages`. Raises ChatError."""
        self._opening = self._tasks.start(self._api.create_thread(messages), name="open a thread")
        return await undisturbed(self._opening)

    async def opened(self) -> str | None:
        """The id of the thread, which may be on its way still; None where there is none."""
        if self._opening is None:
            return None
        try:
            return await undisturbed(self._opening)
        except ChatError:
            return None

    async def leave(self) -> None:
        """Let go of a call that is under way."""
        await self._tasks.close()
