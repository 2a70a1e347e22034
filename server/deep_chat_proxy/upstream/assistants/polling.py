"""Following a run by asking for it."""

from collections.abc import AsyncGenerator, Sequence

from deep_chat_proxy.turn.events import Status, UpstreamEvent
from deep_chat_proxy.upstream.assistants.api import AssistantsApi
from deep_chat_proxy.upstream.assistants.translate import Translator
from deep_chat_proxy.upstream.assistants.wire import RUN_ENDED, Run
from deep_chat_proxy.upstream.pauses import PollPace

_STATUS = {"queued": "Waiting for the assistant…", "in_progress": "Thinking…"}


async def poll(
    api: AssistantsApi,
    translator: Translator,
    thread_id: str,
    run_id: str,
    pace: PollPace,
    *,
    seen: Run | None = None,
) -> AsyncGenerator[Sequence[UpstreamEvent]]:
    """Follow a run to its end or until it waits for outputs; what it said comes whole, then its end. `seen` is what was
    seen of it just now, so that it need not be looked at before the first pause.

    A thread has one run at a time and no call tells of several threads, so each run is asked for by itself.
    """
    pauses = pace.pauses()
    status = ""
    while True:
        run, hint = (seen, None) if seen is not None else await api.get_run(thread_id, run_id)
        seen = None
        if run.status in RUN_ENDED or run.status == "requires_action":
            break
        if run.status != status:
            status = run.status
            if label := _STATUS.get(status):
                yield [Status(label)]
        yield []
        await pauses.wait(hint)
    out: list[UpstreamEvent] = []
    for message in await api.messages_of_run(thread_id, run_id):
        translator.take_message(message, out, whole=True)
    translator.take_run(run, out)
    yield out


async def wait_until_ended(api: AssistantsApi, thread_id: str, run_id: str, pace: PollPace) -> None:
    """Wait for a run that was cancelled, or is to end by itself."""
    pauses = pace.pauses()
    while True:
        run, hint = await api.get_run(thread_id, run_id)
        if run.status in RUN_ENDED:
            return
        await pauses.wait(hint)
