"""The attachments of one message on their way to the back end, and back out of it where no message holds them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.tasks import Tasks, undisturbed
from deep_chat_proxy.turn.message import Attachment
from deep_chat_proxy.upstream.files import Files, SentFile

logger = logging.getLogger("deep_chat_proxy.upstream")

_AT_ONCE = 3
# An upload that was left under way may be stored already, which only its answer tells; how long that is
# waited for, in seconds.
_UNDER_WAY = 5.0


class Uploads:
    """Sends files in tasks of their own, so that a turn that is stopped learns of each that was stored."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._tasks = Tasks()
        self._sending: list[asyncio.Task[None]] = []
        self._sent: list[SentFile] = []
        self._left = False
        self._keep: Callable[[Mapping[str, str]], Awaitable[None]] | None = None

    @property
    def stored(self) -> dict[str, str]:
        """The back end's ids of what it has stored, by the SHA-256 of each file."""
        return {file.attachment.sha256: file.upstream_id for file in self._sent}

    async def send(
        self,
        attachments: Sequence[Attachment],
        stored: Mapping[str, str] | None = None,
        keep: Callable[[Mapping[str, str]], Awaitable[None]] | None = None,
    ) -> Sequence[SentFile]:
        """Send all but those that are `stored` already, a few at a time; returns all in their order. `keep` is told what
        is stored with each.

        Raises ChatError where one is refused.
        """
        stored, self._keep = stored or {}, keep
        room = asyncio.Semaphore(_AT_ONCE)
        self._sent = [SentFile(stored[each.sha256], each) for each in attachments if each.sha256 in stored]
        self._sending = [
            self._tasks.start(self._send(attachment, room), name="upload")
            for attachment in attachments
            if attachment.sha256 not in stored
        ]
        try:
            await undisturbed(asyncio.gather(*self._sending))
        finally:
            self._left = True
        order = {attachment.path: index for index, attachment in enumerate(attachments)}
        return sorted(self._sent, key=lambda file: order[file.attachment.path])

    async def _send(self, attachment: Attachment, room: asyncio.Semaphore) -> None:
        async with room:
            if self._left:
                return
            try:
                self._sent.append(await self._files.send(attachment))
                if self._keep is not None:
                    await self._keep(self.stored)
            except ChatError:
                self._left = True
                raise

    async def leave(self) -> None:
        """Let go of what is under way, and keep what was stored."""
        await self._tasks.close()

    async def take_back(self) -> None:
        """Delete what was sent, as no message holds it; a back end that does not answer keeps it."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=_UNDER_WAY)
            await self._tasks.close()
        for file in self._sent:
            try:
                await self._files.delete(file.upstream_id)
            except ChatError as fault:
                logger.warning("an unused upload stays at the back end: %s", fault.cause)
