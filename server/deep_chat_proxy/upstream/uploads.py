"""The attachments of one message on their way to the back end, and back out of it where no message holds them."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.tasks import Tasks, undisturbed
from deep_chat_proxy.turn.held import Held, HeldKind
from deep_chat_proxy.turn.message import Attachment
from deep_chat_proxy.turn.ports import Thread
from deep_chat_proxy.upstream.attachments import NOT_TAKEN
from deep_chat_proxy.upstream.failures import UpstreamError
from deep_chat_proxy.upstream.files import Files, SentFile

logger = logging.getLogger("deep_chat_proxy.upstream")

_AT_ONCE = 3
# An upload that was left under way may be stored already, which only its answer tells; how long that is
# waited for, in seconds.
_UNDER_WAY = 5.0


class Uploads:
    """Sends files in tasks of their own, so that a turn that is stopped learns of each that was stored, and keeps for
    the thread what is. One that is stored for it already, by a message that failed or by a turn that was picked up, is
    not sent again.
    """

    def __init__(self, files: Files, thread: Thread) -> None:
        self._files = files
        self._thread = thread
        self._tasks = Tasks()
        self._sending: list[asyncio.Task[None]] = []
        self._sent: list[SentFile] = []
        self._new: list[SentFile] = []
        self._left = False
        self._refused = False

    async def send(self, attachments: Sequence[Attachment], stored: Mapping[str, str]) -> Sequence[SentFile]:
        """Store the attachments, a few at a time; returns all in their order. `stored` are those of the thread
        (`Memory.uploads`).

        Raises ChatError where one is refused.
        """
        room = asyncio.Semaphore(_AT_ONCE)
        self._sending = [
            self._tasks.start(self._send(attachment, stored, room), name="upload")
            for attachment in attachments
        ]
        try:
            await undisturbed(asyncio.gather(*self._sending))
        finally:
            self._left = True
        order = {attachment.path: index for index, attachment in enumerate(attachments)}
        return sorted(self._sent, key=lambda file: order[file.attachment.path])

    async def _send(self, attachment: Attachment, stored: Mapping[str, str], room: asyncio.Semaphore) -> None:
        async with room:
            if self._left:
                return
            try:
                known = await self._known(stored.get(attachment.identity))
                if known is not None:
                    self._sent.append(SentFile(known, attachment))
                    return
                sent = await self._files.send(attachment)
                self._sent.append(sent)
                self._new.append(sent)
                await self._thread.hold(_held(sent))
            except ChatError as fault:
                self._left = True
                self._refused = isinstance(fault, UpstreamError) and fault.status in NOT_TAKEN
                raise

    async def _known(self, upstream_id: str | None) -> str | None:
        """The same, where the file is there and stays."""
        if upstream_id is None or not await self._thread.reuse(Held(HeldKind.FILE, upstream_id)):
            return None
        return upstream_id if await self._files.has(upstream_id) else None

    async def leave(self) -> None:
        """Let go of what is under way, and keep what was stored."""
        await self._tasks.close()

    async def take_back(self) -> None:
        """No message holds what was sent: it is kept for the same message to be sent again, or else deleted. A back end
        that does not answer keeps it for longer.
        """
        if self._sending:
            await asyncio.wait(self._sending, timeout=_UNDER_WAY)
            await self._tasks.close()
        # What was there before may be in an earlier message.
        for file in self._new:
            # A message with a file that is refused will come without it, or not at all.
            if self._refused or not await self._thread.spare(_held(file)):
                await self._delete(file)

    async def _delete(self, file: SentFile) -> None:
        try:
            await self._files.delete(file.upstream_id)
            await self._thread.release(_held(file))
        except ChatError as fault:
            logger.warning("an unused upload stays at the back end: %s", fault.cause)


def _held(file: SentFile) -> Held:
    return Held(HeldKind.FILE, file.upstream_id, file.attachment.identity)
