"""One turn in the Assistants v2 dialect: attachments, message, run, outputs, and what is left to end."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from msgspec.structs import replace

from deep_chat_proxy.errors import CUT_OFF, TURN_ACTIVE, ChatError
from deep_chat_proxy.turn.context import current_turn
from deep_chat_proxy.turn.events import Accepted, ToolOutput, UpstreamEvent
from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.turn.ports import Thread
from deep_chat_proxy.turn.transcript import Anchor, AnchorKind, Memory
from deep_chat_proxy.upstream.assistants.api import AssistantsApi
from deep_chat_proxy.upstream.assistants.checkpoint import TURN, Checkpoint
from deep_chat_proxy.upstream.assistants.following import RunFollower
from deep_chat_proxy.upstream.assistants.mending import find_run
from deep_chat_proxy.upstream.assistants.message import earlier_messages, message_body
from deep_chat_proxy.upstream.assistants.options import AssistantsOptions
from deep_chat_proxy.upstream.assistants.posting import find, post
from deep_chat_proxy.upstream.assistants.wire import Run
from deep_chat_proxy.upstream.checkpoints import Checkpoints
from deep_chat_proxy.upstream.client import UnsentError, surely_not_taken
from deep_chat_proxy.upstream.closing import discard, in_time
from deep_chat_proxy.upstream.failures import UpstreamError
from deep_chat_proxy.upstream.files import Files
from deep_chat_proxy.upstream.notices import THREAD_ELSEWHERE, THREAD_LOST
from deep_chat_proxy.upstream.uploads import Uploads

logger = logging.getLogger("deep_chat_proxy.upstream")

Batches = AsyncGenerator[Sequence[UpstreamEvent]]


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
        self._message = message
        self._run_body = run_body
        self._uploads = Uploads(files)
        self._marks = Checkpoints(thread, Checkpoint())
        self._anchored = True
        self._accepted = False
        self._refused = False
        self._follower = RunFollower(api, options.pace, thread.turn_id, within=options.close_within)

    async def start(self) -> Batches:
        """As in `UpstreamTurn`."""
        memory = await self._thread.memory()
        self._marks.read(memory.checkpoint)
        thread_id = memory.anchored(AnchorKind.THREAD) or self._marks.now.thread_id
        self._anchored = memory.anchored(AnchorKind.THREAD) is not None
        run = await self._run_so_far(thread_id)
        if self._marks.now.run_id is not None and run is None:
            logger.info("turn %s: the back end no longer has the run", current_turn.get())
            # One that the turn itself has opened held nothing before.
            notice = THREAD_LOST if self._anchored_before(memory) else self._marks.now.notice
            self._marks.now, thread_id = Checkpoint(notice=notice), None
            memory = replace(memory, anchor=None)
        if run is None:
            await self._run_body()
            thread_id = await self._bring(memory, thread_id)
        if thread_id is None:
            raise AssertionError("a message is on a thread")
        self._follower.go_on(thread_id)
        async with aclosing(self._answer(thread_id, run)) as batches:
            async for batch in batches:
                yield batch

    def _anchored_before(self, memory: Memory) -> bool:
        thread_id = memory.anchored(AnchorKind.THREAD)
        return thread_id is not None and thread_id != self._marks.now.thread_id

    async def _run_so_far(self, thread_id: str | None) -> Run | None:
        """The run that another process has made for this turn."""
        if thread_id is None or not self._marks.now.starting:
            return None
        if self._marks.now.run_id is None:
            return await find_run(self._api, thread_id, self._thread.turn_id)
        try:
            return (await self._api.get_run(thread_id, self._marks.now.run_id))[0]
        except UpstreamError as fault:
            if fault.status != 404:
                raise
            return None

    async def _bring(self, memory: Memory, thread_id: str | None) -> str:
        """Bring the message onto its thread; returns that."""
        sent = await self._uploads.send(
            self._message.attachments, self._marks.now.stored, lambda stored: self._marks.keep(stored=stored)
        )
        body = message_body(self._message, sent, self._options.file_tool)
        body["metadata"] = {TURN: self._thread.turn_id}
        notice = self._marks.now.notice if thread_id is not None or memory.whole else THREAD_ELSEWHERE
        if thread_id is not None and not await self._post(thread_id, body):
            self._anchored, thread_id, notice = False, None, THREAD_LOST
        if thread_id is None:
            earlier = earlier_messages(memory.entries) if memory.whole else []
            thread_id = await self._api.create_thread(earlier)
            self._anchored = False
            await self._marks.keep(thread_id=thread_id, notice=notice, posting=False)
            await self._post(thread_id, body, opened=True)
        return thread_id

    async def _post(self, thread_id: str, body: Mapping[str, Any], *, opened: bool = False) -> bool:
        """Post the message, unless it is there; False where the back end no longer has a thread that was not `opened`
        just now.
        """
        try:
            message_id = self._marks.now.message_id
            if message_id is None and self._marks.now.posting:
                message_id = await find(self._api, thread_id, body)
            if message_id is None:
                await self._marks.keep(posting=True)
                message_id = await post(
                    self._api, thread_id, body, self._options.pace, within=self._options.close_within
                )
        except ChatError as fault:
            self._refused = surely_not_taken(fault) or fault.problem is TURN_ACTIVE
            if opened or not isinstance(fault, UpstreamError) or fault.status != 404:
                raise
            logger.info("turn %s: the back end no longer has the thread", current_turn.get())
            return False
        self._refused = False
        # What happens next, the run, is kept with it.
        await self._marks.keep(message_id=message_id, starting=True)
        return True

    async def _answer(self, thread_id: str, run: Run | None) -> Batches:
        async with aclosing(await self._batches(thread_id, run)) as batches:
            async for batch in batches:
                if self._follower.run_id is not None and self._marks.now.run_id is None:
                    await self._marks.keep(run_id=self._follower.run_id)
                if not self._accepted:
                    self._accepted = True
                    await self._keep_thread()
                    notice = self._marks.now.notice
                    yield [Accepted(), *(self._follower.notice(notice) if notice else ())]
                yield batch

    async def _batches(self, thread_id: str, run: Run | None) -> Batches:
        if run is not None:
            return self._follower.go_on_with(run)
        body = {**await self._run_body(), "metadata": {TURN: self._thread.turn_id}}
        return self._first(self._api.run(thread_id, body, stream=self._options.stream))

    async def _first(self, call: Any) -> Batches:
        try:
            async with aclosing(self._follower.follow(call)) as batches:
                async for batch in batches:
                    yield batch
        except ChatError as fault:
            self._refused = not self._accepted and isinstance(fault, UpstreamError | UnsentError)
            raise

    async def submit(self, outputs: Sequence[ToolOutput]) -> Batches:
        """As in `UpstreamTurn`."""
        thread_id, run_id = self._follower.thread_id, self._follower.run_id
        if thread_id is None or run_id is None:
            raise ChatError(CUT_OFF, "a run that was never named asks for outputs")
        call = self._api.outputs(thread_id, run_id, outputs, stream=self._options.stream)
        async with aclosing(self._follower.follow(call)) as batches:
            async for batch in batches:
                yield batch

    async def _keep_thread(self) -> None:
        """The thread holds a message, so the next one belongs there too."""
        thread_id = self._marks.now.thread_id
        if not self._anchored and thread_id is not None:
            self._anchored = True
            anchor = Anchor(AnchorKind.THREAD, thread_id)
            await self._thread.record(anchor=anchor, covered=True, forget=True)

    async def leave(self) -> None:
        """As in `UpstreamTurn`."""
        await self._uploads.leave()
        await self._follower.leave()

    async def close(self) -> None:
        """As in `UpstreamTurn`."""
        within = self._options.close_within
        try:
            await in_time(self._follower.end(), within, "the run could not be ended")
            # After a failure of the server's own there may be a run all the same.
            if (self._refused and self._follower.run_id is None) or not self._marks.now.posting:
                await in_time(self._take_back(), within, "what was not used stays at the back end")
            else:
                await self._keep_thread()
        finally:
            await discard(self._message.attachments)

    async def _take_back(self) -> None:
        """Nothing stays of a message that was not taken: the visitor will send it again."""
        try:
            thread_id = self._follower.thread_id
            if not self._anchored and self._marks.now.thread_id is not None:
                await self._api.delete_thread(self._marks.now.thread_id)
            elif thread_id is not None and self._marks.now.message_id is not None:
                await self._api.delete_message(thread_id, self._marks.now.message_id)
        finally:
            await self._uploads.take_back()
