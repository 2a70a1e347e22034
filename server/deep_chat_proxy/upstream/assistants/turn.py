"""One turn in the Assistants v2 dialect: attachments, message, run, outputs, and what is left to end."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

from deep_chat_proxy.errors import CUT_OFF, ChatError
from deep_chat_proxy.turn.context import current_turn
from deep_chat_proxy.turn.events import Accepted, ThreadOpened, ToolOutput, UpstreamEvent
from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.turn.ports import Thread
from deep_chat_proxy.turn.transcript import Anchor, AnchorKind
from deep_chat_proxy.upstream.assistants.api import AssistantsApi
from deep_chat_proxy.upstream.assistants.following import RunFollower
from deep_chat_proxy.upstream.assistants.mending import end_active_run
from deep_chat_proxy.upstream.assistants.message import earlier_messages, message_body
from deep_chat_proxy.upstream.assistants.options import AssistantsOptions
from deep_chat_proxy.upstream.client import Call
from deep_chat_proxy.upstream.closing import discard, in_time
from deep_chat_proxy.upstream.failures import UpstreamError
from deep_chat_proxy.upstream.files import Files
from deep_chat_proxy.upstream.notices import THREAD_ELSEWHERE, THREAD_LOST
from deep_chat_proxy.upstream.uploads import Uploads

logger = logging.getLogger("deep_chat_proxy.upstream")


class AssistantsTurn:
    """Implements `UpstreamTurn`; `run_body` gives what every run of this app is made with."""

    def __init__(
        self,
        api: AssistantsApi,
        files: Files,
        options: AssistantsOptions,
        *,
        thread: Thread,
        message: UserMessage,
        run_body: Callable[[], Awaitable[dict[str, object]]],
    ) -> None:
        self._api = api
        self._options = options
        self._thread = thread
        self._thread_id: str | None = None
        self._message = message
        self._run_body = run_body
        self._uploads = Uploads(files)
        self._posted = False
        self._known = True
        self._follower = RunFollower(api, options.pace)

    async def start(self) -> AsyncGenerator[Sequence[UpstreamEvent]]:
        """As in `UpstreamTurn`."""
        memory = await self._thread.memory()
        self._thread_id = memory.anchored(AnchorKind.THREAD)
        run_body = await self._run_body()
        sent = await self._uploads.send(self._message.attachments)
        body = message_body(self._message, sent, self._options.file_tool)
        notice = "" if self._thread_id is not None or memory.whole else THREAD_ELSEWHERE
        if self._thread_id is not None and not await self._add_to_thread(self._thread_id, body):
            self._thread_id, notice = None, THREAD_LOST
        self._known = self._thread_id is not None
        earlier = earlier_messages(memory.entries) if memory.whole else []
        accepted = False
        call = self._first_call(run_body, [*earlier, body])
        async with aclosing(self._follower.follow(call)) as batches:
            async for batch in batches:
                self._posted = True
                if not accepted:
                    accepted = True
                    yield [Accepted(), *(self._follower.notice(notice) if notice else ())]
                if not self._known and (thread_id := self._follower.thread_id) is not None:
                    self._known = True
                    yield [ThreadOpened(thread_id)]
                yield batch

    def _first_call(self, run: dict[str, object], messages: Sequence[dict[str, object]]) -> Call:
        stream = self._options.stream
        if self._thread_id is None:
            return self._api.thread_and_run(run, messages, stream=stream)
        self._follower.go_on(self._thread_id)
        return self._api.run(self._thread_id, run, stream=stream)

    async def _add_to_thread(self, thread_id: str, body: dict[str, object]) -> bool:
        """Post the message; False where the back end no longer has the thread."""
        try:
            try:
                await self._api.add_message(thread_id, body)
            except UpstreamError as fault:
                if fault.status != 400 or "active" not in fault.message:
                    raise
                # An earlier turn left a run behind, in this process or another.
                await end_active_run(
                    self._api, thread_id, self._options.pace, within=self._options.close_within
                )
                await self._api.add_message(thread_id, body)
        except UpstreamError as fault:
            if fault.status != 404:
                raise
            logger.info("turn %s: the back end no longer has the thread", current_turn.get())
            return False
        self._posted = True
        return True

    async def submit(self, outputs: Sequence[ToolOutput]) -> AsyncGenerator[Sequence[UpstreamEvent]]:
        """As in `UpstreamTurn`."""
        thread_id, run_id = self._follower.thread_id, self._follower.run_id
        if thread_id is None or run_id is None:
            raise ChatError(CUT_OFF, "a run that was never named asks for outputs")
        call = self._api.outputs(thread_id, run_id, outputs, stream=self._options.stream)
        async with aclosing(self._follower.follow(call)) as batches:
            async for batch in batches:
                yield batch

    async def close(self) -> None:
        """As in `UpstreamTurn`."""
        try:
            await in_time(self._follower.end(), self._options.close_within, "the run could not be ended")
            await self._keep_thread()
            if not self._posted:
                await in_time(
                    self._uploads.take_back(),
                    self._options.close_within,
                    "unused uploads stay at the back end",
                )
        finally:
            await discard(self._message.attachments)

    async def _keep_thread(self) -> None:
        """A turn that was stopped before the back end had named its thread: the next message belongs there too."""
        if not self._known and (thread_id := self._follower.thread_id) is not None:
            self._known = True
            anchor = Anchor(AnchorKind.THREAD, thread_id)
            await self._thread.record(anchor=anchor, covered=True, forget=True)
