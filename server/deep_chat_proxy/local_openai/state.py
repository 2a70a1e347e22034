"""What the local OpenAI keeps, all of it in memory and bounded: `app[STATE]`, open for tests to look inside."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Coroutine
from typing import TypeVar

from aiohttp import web

from deep_chat_proxy.local_openai.assistants.kept import ThreadKept
from deep_chat_proxy.local_openai.assistants.objects import Assistant, CodeTool, Run, SearchTool
from deep_chat_proxy.local_openai.bounded import Bounded
from deep_chat_proxy.local_openai.chat.kept import ChatKept
from deep_chat_proxy.local_openai.containers import Containers
from deep_chat_proxy.local_openai.errors import thread_full
from deep_chat_proxy.local_openai.ids import new_id
from deep_chat_proxy.local_openai.models import MODEL
from deep_chat_proxy.local_openai.objects import FileObject, KeptFile
from deep_chat_proxy.local_openai.options import LocalOptions
from deep_chat_proxy.local_openai.responses.kept import ConversationKept, ResponseKept
from deep_chat_proxy.local_openai.responses.objects import Response

T = TypeVar("T")
READY_ASSISTANT = "asst_local"
MOST_REFUSED = 1_000
logger = logging.getLogger("deep_chat_proxy.local_openai")


class LocalState:
    """Threads, conversations, responses and completions, files, assistants, and the requests that came."""

    def __init__(self, options: LocalOptions) -> None:
        self.options = options
        self.requests: deque[tuple[str, str]] = deque(maxlen=options.max_requests_seen)
        """Method and path of every request, oldest first."""
        self.assistants: dict[str, Assistant] = {READY_ASSISTANT: _ready_assistant()}
        self.threads: dict[str, ThreadKept] = {}
        self.files: dict[str, KeptFile] = {}
        most, most_bytes = options.max_threads, options.max_thread_bytes
        self.conversations = Bounded(most=most, most_bytes=most_bytes, dropped=_abandon_conversation)
        self.responses = Bounded(most=most, most_bytes=most_bytes, dropped=_abandon)
        """Those that can be retrieved."""
        self.chats: Bounded[ChatKept] = Bounded(most=most, most_bytes=most_bytes)
        """Chat Completions requests with what they were answered."""
        self.containers = Containers(
            most=options.max_files, most_bytes=options.max_file_bytes, ttl=options.container_ttl
        )
        self._answering: dict[str, ResponseKept] = {}
        self._refused: dict[tuple[str, str], None] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def active_runs(self) -> list[Run]:
        """Runs that have not ended; those that wait for tool outputs are among them."""
        return [kept.run for thread in self.threads.values() for kept in thread.runs.values() if kept.active]

    def active_responses(self) -> list[Response]:
        """Responses that have not ended, in the foreground and in the background."""
        return [kept.response for kept in self._answering.values()]

    def response_began(self, kept: ResponseKept) -> None:
        self._answering[kept.response.id] = kept
        if kept.response.background:
            self.keep_response(kept)
            self._forget_old_events()

    def response_ended(self, kept: ResponseKept) -> None:
        self._answering.pop(kept.response.id, None)

    def keep_response(self, kept: ResponseKept) -> None:
        """From now on it can be retrieved."""
        self.responses.put(kept.response.id, kept, kept.size)

    def _forget_old_events(self) -> None:
        too_old = time.time() - self.options.resume_ttl
        for kept in self.responses:
            if not kept.active and kept.response.created_at < too_old:
                kept.log = None

    def add_thread(self, thread: ThreadKept) -> None:
        self.threads[thread.thread.id] = thread
        while len(self.threads) > self.options.max_threads:
            self.drop_thread(next(iter(self.threads)))

    def grow(self, thread: ThreadKept, by: int) -> None:
        """
        Let a thread take in a request of `by` bytes; the oldest other threads go where there is no room.

        Raises ApiError (400) where the thread alone would take all of it.
        """
        most = self.options.max_thread_bytes
        if thread.taken_in + by > most:
            raise thread_full(most, "bytes")
        thread.taken_in += by
        others = [one for one in self.threads.values() if one is not thread]
        excess = thread.taken_in + sum(one.taken_in for one in others) - most
        for oldest in others:
            if excess <= 0:
                break
            excess -= oldest.taken_in
            self.drop_thread(oldest.thread.id)

    def drop_thread(self, thread_id: str) -> None:
        """Forget a thread; its runs end where they are."""
        for kept in self.threads.pop(thread_id).runs.values():
            if kept.task is not None:
                kept.task.cancel()

    def add_assistant(self, assistant: Assistant) -> None:
        self.assistants[assistant.id] = assistant
        if len(self.assistants) > self.options.max_assistants + 1:
            del self.assistants[next(an_id for an_id in self.assistants if an_id != READY_ASSISTANT)]

    def add_file(self, name: str, data: bytes, purpose: str, *, lives: int | None = None) -> FileObject:
        """Keep a file for `lives` seconds, or as long as there is room."""
        now = int(time.time())
        file = FileObject(
            id=new_id("file-"),
            bytes=len(data),
            created_at=now,
            expires_at=None if lives is None else now + lives,
            filename=name,
            purpose=purpose,
        )
        self.files[file.id] = KeptFile(file, data)
        while len(self.files) > self.options.max_files or self._file_bytes() > self.options.max_file_bytes:
            del self.files[next(iter(self.files))]
        return file

    def _file_bytes(self) -> int:
        return sum(kept.file.bytes for kept in self.files.values())

    def was_refused(self, thread_id: str, text: str) -> bool:
        """Whether a message was refused the last time it came."""
        return (thread_id, text) in self._refused

    def note_refused(self, thread_id: str, text: str, *, refused: bool) -> None:
        self._refused.pop((thread_id, text), None)
        if refused:
            self._refused[thread_id, text] = None
            while len(self._refused) > MOST_REFUSED:
                del self._refused[next(iter(self._refused))]

    def start(self, its_id: str, life: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Let a run, a response or a completion live by itself, whoever follows it."""
        task = asyncio.get_running_loop().create_task(life, name=f"local {its_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """End every run, response and completion, and with them the streams that follow."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _abandon(kept: ResponseKept) -> None:
    if kept.task is not None:
        kept.task.cancel()


def _abandon_conversation(kept: ConversationKept) -> None:
    if kept.answering is not None:
        _abandon(kept.answering)


def _ready_assistant() -> Assistant:
    return Assistant(
        id=READY_ASSISTANT,
        created_at=int(time.time()),
        name="Local assistant",
        description="Answers with no key and no network; ask it for help.",
        model=MODEL,
        instructions="You are a helpful assistant.",
        tools=[SearchTool(), CodeTool()],
    )


STATE = web.AppKey("STATE", LocalState)
