"""One turn in the Assistants v2 dialect: attachments, message, run, outputs, and what is left to end."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from msgspec.structs import replace

from deep_chat_proxy.errors import CUT_OFF, TURN_ACTIVE, ChatError
from deep_chat_proxy.turn.context import current_turn
from deep_chat_proxy.turn.events import Accepted, ToolOutput, UpstreamEvent
from deep_chat_proxy.turn.held import Held, HeldKind
from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.turn.ports import Listener, Thread
from deep_chat_proxy.turn.transcript import Anchor, AnchorKind, Memory
from deep_chat_proxy.upstream.assistants.api import AssistantsApi
from deep_chat_proxy.upstream.assistants.checkpoint import TURN, WITH_THREAD, Checkpoint
from deep_chat_proxy.upstream.assistants.following import RunFollower
from deep_chat_proxy.upstream.assistants.mending import find_run, is_gone
from deep_chat_proxy.upstream.assistants.message import earlier_messages, message_body
from deep_chat_proxy.upstream.assistants.opening import ThreadOpening
from deep_chat_proxy.upstream.assistants.options import AssistantsOptions
from deep_chat_proxy.upstream.assistants.posting import find, post
from deep_chat_proxy.upstream.assistants.wire import Run
from deep_chat_proxy.upstream.checkpoints import Checkpoints
from deep_chat_proxy.upstream.client import surely_not_taken
from deep_chat_proxy.upstream.closing import discard, in_time
from deep_chat_proxy.upstream.failures import UpstreamError
from deep_chat_proxy.upstream.files import Files
from deep_chat_proxy.upstream.naming import Naming
from deep_chat_proxy.upstream.notices import THREAD_ELSEWHERE, THREAD_LOST
from deep_chat_proxy.upstream.reading import UnsentError
from deep_chat_proxy.upstream.recordings import LISTENING, Recordings
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
        self._uploads = Uploads(files, thread)
        self._naming = Naming(files)
        self._recordings = Recordings(api.client, options.recordings, message)
        self._opening = ThreadOpening(api)
        self._marks = Checkpoints(thread, Checkpoint())
        self._anchored = True
        self._accepted = False
        self._refused = False
        self._run_kept = False
        self._follower = RunFollower(api, options.pace, thread.turn_id, within=options.close_within)

    def tell(self, listener: Listener, watched: Callable[[], bool]) -> None:
        """As in `UpstreamTurn`."""
        self._follower.watched = watched
        # Not before the run is kept, and not before citations whose titles are asked for.
        self._follower.listener = lambda words: (
            self._run_kept and not self._naming.is_asking and listener(words)
        )

    async def start(self) -> Batches:
        """As in `UpstreamTurn`."""
        memory = await self._thread.memory()
        self._marks.read(memory.checkpoint)
        anchored = memory.anchored(AnchorKind.THREAD)
        # One that the turn itself has opened takes the place of one that was lost.
        thread_id = self._marks.now.thread_id or anchored
        self._anchored = anchored is not None and anchored == thread_id
        run, gone = await self._run_so_far(thread_id)
        if gone:
            logger.info("turn %s: the back end no longer has the run or its thread", current_turn.get())
            # One that the turn itself has opened held nothing before.
            notice = THREAD_LOST if self._anchored_before(memory) else self._marks.now.notice
            self._marks.now, thread_id = Checkpoint(notice=notice), None
            memory = replace(memory, anchor=None)
        if run is None:
            await self._run_body()
            if self._recordings.to_be_heard:
                yield [LISTENING]
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

    async def _run_so_far(self, thread_id: str | None) -> tuple[Run | None, bool]:
        """The run that another process has made for this turn, and whether what that has left is gone."""
        run_id = self._marks.now.run_id
        if thread_id is None or not self._marks.now.starting:
            return None, False
        try:
            if run_id is None:
                return await find_run(self._api, thread_id, self._thread.turn_id), False
            return (await self._api.get_run(thread_id, run_id))[0], False
        except UpstreamError as fault:
            if fault.status != 404 or (run_id is None and not await is_gone(self._api, thread_id)):
                raise
            return None, True

    async def _bring(self, memory: Memory, thread_id: str | None) -> str:
        """Bring the message onto its thread; returns that."""
        message = (
            await self._recordings.heard() if self._marks.now.message_id is None else self._recordings.others
        )
        sent = await self._uploads.send(message.attachments, memory.uploads)
        body = message_body(message, sent, self._options.file_tool)
        body["metadata"] = {TURN: self._thread.turn_id}
        notice = self._marks.now.notice if thread_id is not None or memory.whole else THREAD_ELSEWHERE
        if thread_id is not None and not await self._post(thread_id, body):
            self._anchored, thread_id, notice = False, None, THREAD_LOST
        if thread_id is None:
            earlier = earlier_messages(memory.entries) if memory.whole else []
            thread_id = await self._open([*earlier, body], notice)
        return thread_id

    async def _open(self, messages: Sequence[Mapping[str, object]], notice: str) -> str:
        """Open a thread that holds the message; returns its id."""
        # Until it is written down nothing runs on it, so it is taken back where that cannot be done.
        self._anchored, self._refused = False, True
        thread_id = await self._opening.open(messages)
        opened = Held(HeldKind.THREAD, thread_id)
        # What happens next, the run, is kept with it.
        known = {"posting": True, "message_id": WITH_THREAD, "starting": True}
        await self._marks.keep(opened, thread_id=thread_id, notice=notice, **known)
        self._refused = False
        return thread_id

    async def _post(self, thread_id: str, body: Mapping[str, Any]) -> bool:
        """Post the message, unless it is there; False where the back end no longer has the thread."""
        if self._marks.now.message_id is not None:
            return True
        message_id = None
        try:
            if self._marks.now.posting:
                message_id = await find(self._api, thread_id, body)
            if message_id is None:
                await self._marks.keep(posting=True)
                message_id = await post(
                    self._api, thread_id, body, self._options.pace, within=self._options.close_within
                )
        except ChatError as fault:
            self._refused = surely_not_taken(fault) or fault.problem is TURN_ACTIVE
            if not isinstance(fault, UpstreamError) or fault.status != 404:
                raise
            logger.info("turn %s: the back end no longer has the thread", current_turn.get())
            return False
        self._refused = False
        # What happens next, the run, is kept with it.
        await self._marks.keep(message_id=message_id, starting=True)
        return True

    async def _answer(self, thread_id: str, run: Run | None) -> Batches:
        try:
            async with aclosing(await self._batches(thread_id, run)) as batches:
                async for batch in batches:
                    if self._follower.run_id is not None and not self._run_kept:
                        await self._keep_run(self._follower.run_id)
                    if not self._accepted:
                        self._accepted = True
                        notice = self._marks.now.notice
                        yield [Accepted(), *(self._follower.notice(notice) if notice else ())]
                    yield await self._naming.named(batch)
        except ChatError as fault:
            refused = isinstance(fault, UpstreamError | UnsentError)
            self._refused = run is None and not self._accepted and refused
            raise

    async def _batches(self, thread_id: str, run: Run | None) -> Batches:
        if run is not None:
            return self._follower.go_on_with(run)
        body = {**await self._run_body(), "metadata": {TURN: self._thread.turn_id}}
        return self._follower.follow(self._api.run(thread_id, body, stream=self._options.stream))

    async def submit(self, outputs: Sequence[ToolOutput]) -> Batches:
        """As in `UpstreamTurn`."""
        thread_id, run_id = self._follower.thread_id, self._follower.run_id
        if thread_id is None or run_id is None:
            raise ChatError(CUT_OFF, "a run that was never named asks for outputs")
        call = self._api.outputs(thread_id, run_id, outputs, stream=self._options.stream)
        async with aclosing(self._follower.follow(call)) as batches:
            async for batch in batches:
                yield await self._naming.named(batch)

    async def _keep_run(self, run_id: str) -> None:
        """A run that is known is kept, at once with its thread."""
        self._run_kept = True
        new = self._marks.now.run_id is None
        if new:
            self._marks.note(run_id=run_id)
        if not await self._keep_thread() and new:
            await self._marks.keep()

    async def _keep_thread(self) -> bool:
        """The thread holds a message, so the next one belongs there too; False where it is known to."""
        thread_id = self._marks.now.thread_id
        if self._anchored or thread_id is None:
            return False
        self._anchored = True
        anchor = Anchor(AnchorKind.THREAD, thread_id)
        await self._thread.record(anchor=anchor, covered=True, forget=True, checkpoint=self._marks.body)
        return True

    async def leave(self) -> None:
        """As in `UpstreamTurn`."""
        await self._naming.close()
        await self._uploads.leave()
        await self._opening.leave()
        await self._follower.leave()

    async def close(self) -> None:
        """As in `UpstreamTurn`."""
        within = self._options.close_within
        await self._naming.close()
        try:
            await in_time(self._follower.end(), within, "the run could not be ended")
            # After a failure of the server's own there may be a run all the same.
            if (self._refused and self._follower.run_id is None) or not self._marks.now.posting:
                await in_time(self._take_back(), within, "what was not used stays at the back end")
            else:
                await self._keep_thread()
        finally:
            await self._opening.leave()
            await discard(self._message.attachments)

    async def _take_back(self) -> None:
        """Nothing stays of a message that was not taken: the visitor will send it again."""
        try:
            thread_id, message_id = self._follower.thread_id, self._marks.now.message_id
            opened = await self._opening.opened() or self._marks.now.thread_id
            if not self._anchored and opened is not None:
                await self._delete_thread(Held(HeldKind.THREAD, opened))
            elif thread_id is not None and message_id:
                await self._api.delete_message(thread_id, message_id)
        finally:
            await self._uploads.take_back()

    async def _delete_thread(self, opened: Held) -> None:
        # A turn that was stopped has not written it down, and it may not be deleted in time.
        await self._thread.hold(opened)
        await self._api.delete_thread(opened.held_id)
        await self._thread.release(opened)
