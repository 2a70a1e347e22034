"""How much a visitor may send in a day: refused while it arrives, counted when its message is taken."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deep_chat_proxy.browser.limits import in_megabytes
from deep_chat_proxy.errors import ChatError, Problem
from deep_chat_proxy.store.allowances import Allowances, Amount
from deep_chat_proxy.turn.message import UserMessage


class Allowance:
    """What one visitor may send in one request."""

    def __init__(self, allowances: Allowances, visitor: str) -> None:
        self._allowances = allowances
        self._visitor = visitor
        self._left: Amount | None = None

    async def begin(self) -> None:
        """Find out what is left of the day, once; call it before the first `check`."""
        if self._left is None:
            self._left = await self._allowances.left(self._visitor)

    def check(self, files: int, size: int) -> None:
        """So many files of the request have come, of so many bytes. Raises ChatError (413) where that is too much."""
        amount = Amount(files, size)
        if self._left is not None and not amount.within(self._left):
            raise _used_up(self._allowances, amount, self._left)


class Count:
    """A message that is being counted; `keep` it where it is taken."""

    def __init__(self) -> None:
        self.kept = False

    def keep(self) -> None:
        """The message has been taken."""
        self.kept = True


@asynccontextmanager
async def counting(allowances: Allowances, visitor: str, message: UserMessage) -> AsyncIterator[Count]:
    """Count the files of a message for its visitor, and count them no more where it is not kept within.

    Raises ChatError (413) where the day has no room for them. A message without files is not counted.
    """
    count = Count()
    if not message.attachments:
        yield count
        return
    size = sum(attachment.size for attachment in message.attachments)
    amount = Amount(len(message.attachments), size)
    counted = await allowances.take(visitor, amount)
    if counted is None:
        raise _used_up(allowances, amount, await allowances.left(visitor))
    try:
        yield count
    finally:
        if not count.kept:
            await allowances.give_back(counted)


def _used_up(allowances: Allowances, wanted: Amount, left: Amount) -> ChatError:
    most = allowances.most
    what = f"{most.files} files" if wanted.files > left.files else f"{in_megabytes(most.bytes)} of files"
    sentence = f"At most {what} can be sent in a day. Please wait with these until tomorrow (00:00 UTC)."
    return ChatError(Problem("daily_limit", 413, sentence), retry_after=allowances.until_tomorrow)
