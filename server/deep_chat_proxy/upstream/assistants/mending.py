"""Ending runs that go on: one that was stopped, or one that an earlier failure left on a thread.

A thread with an active run takes no message (400 "Can't add messages to thread … while a run … is active").
"""

import asyncio

from deep_chat_proxy.errors import TURN_ACTIVE, ChatError
from deep_chat_proxy.upstream.assistants.api import AssistantsApi
from deep_chat_proxy.upstream.assistants.checkpoint import TURN
from deep_chat_proxy.upstream.assistants.polling import wait_until_ended
from deep_chat_proxy.upstream.assistants.wire import RUN_ENDED, Run
from deep_chat_proxy.upstream.failures import UpstreamError
from deep_chat_proxy.upstream.pauses import PollPace

# 400: it has ended meanwhile ("Cannot cancel run with status 'completed'."); 404, 405: a server without cancel.
_NOT_CANCELLED = frozenset({400, 404, 405})


async def cancel_and_wait(api: AssistantsApi, thread_id: str, run_id: str, pace: PollPace) -> None:
    """Cancel a run and wait until it has ended. Raises ChatError."""
    try:
        await api.cancel(thread_id, run_id)
    except UpstreamError as fault:
        if fault.status not in _NOT_CANCELLED:
            raise
    await wait_until_ended(api, thread_id, run_id, pace)


async def find_run(api: AssistantsApi, thread_id: str, turn_id: str) -> Run | None:
    """The run that a turn has made, as far as the thread's newest one can be it. Raises ChatError."""
    run = await api.newest_run(thread_id)
    if run is None:
        return None
    if run.metadata and TURN in run.metadata:
        return run if run.metadata[TURN] == turn_id else None
    # A server that keeps no metadata: on a thread there is one active run, and nobody else starts any.
    if run.status not in RUN_ENDED:
        return run
    # The turn's message was the newest, so an answer in front of it is the one to it.
    newest = next(iter(await api.newest_messages(thread_id, 1)), None)
    return run if newest is not None and newest.role == "assistant" and newest.run_id == run.id else None


async def is_gone(api: AssistantsApi, thread_id: str) -> bool:
    """Whether the back end no longer has a thread. Some have no list of runs, but all have one of messages. Raises
    ChatError.
    """
    try:
        await api.newest_messages(thread_id, 1)
    except UpstreamError as fault:
        if fault.status != 404:
            raise
        return True
    return False


async def end_active_run(api: AssistantsApi, thread_id: str, pace: PollPace, *, within: float) -> None:
    """End the run that keeps a thread from taking a message; raises ChatError after `within` seconds."""
    run = await api.newest_run(thread_id)
    if run is None or run.status in RUN_ENDED:
        return
    try:
        async with asyncio.timeout(within):
            await cancel_and_wait(api, thread_id, str(run.id), pace)
    except TimeoutError:
        raise ChatError(TURN_ACTIVE, f"a run left behind did not end within {within} s") from None
