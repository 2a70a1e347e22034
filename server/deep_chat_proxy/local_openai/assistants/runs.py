"""Runs: list, retrieve, modify, take tool outputs, cancel. `starting.py` is where they begin."""

from aiohttp import web

from deep_chat_proxy.local_openai import body, paging
from deep_chat_proxy.local_openai.assistants.finding import find_run, find_thread
from deep_chat_proxy.local_openai.assistants.kept import RunKept
from deep_chat_proxy.local_openai.assistants.objects import Run
from deep_chat_proxy.local_openai.assistants.requests import ModifyMetadata, SubmitToolOutputs
from deep_chat_proxy.local_openai.assistants.stream import stream_run
from deep_chat_proxy.local_openai.errors import (
    not_cancellable,
    other_outputs_expected,
    outputs_not_expected,
)
from deep_chat_proxy.local_openai.state import STATE

CANCELLABLE = frozenset({"queued", "in_progress", "requires_action"})


def run_answer(request: web.Request, run: Run) -> web.Response:
    """A run, with the hint when to ask again while it goes on."""
    response = body.answer(run)
    if run.status in {"queued", "in_progress", "cancelling"}:
        response.headers["openai-poll-after-ms"] = str(request.app[STATE].options.poll_after_ms)
    return response


async def list_runs(request: web.Request) -> web.Response:
    runs = [kept.run for kept in find_thread(request).runs.values()]
    chosen, has_more = paging.page(runs, paging.query(request), what="run", id_of=lambda run: run.id)
    return body.answer(paging.list_object(chosen, [run.id for run in chosen], has_more=has_more))


async def retrieve(request: web.Request) -> web.Response:
    return run_answer(request, find_run(request).run)


async def modify(request: web.Request) -> web.Response:
    run = find_run(request).run
    run.metadata = (await body.read(request, ModifyMetadata)).metadata or run.metadata
    return run_answer(request, run)


async def submit_tool_outputs(request: web.Request) -> web.StreamResponse:
    asked = await body.read(request, SubmitToolOutputs)
    kept = find_run(request)
    outputs = _checked_outputs(kept, asked)
    request.app[STATE].grow(find_thread(request), len(await request.read()))
    kept.run.status = "queued"
    kept.run.required_action = None
    listener = kept.listen() if asked.stream else None
    kept.outputs = outputs
    kept.wake.set()
    return await stream_run(request, kept, listener) if listener else run_answer(request, kept.run)


def _checked_outputs(kept: RunKept, asked: SubmitToolOutputs) -> dict[str, str]:
    """Outputs by call id: one for each call, in one request."""
    action = kept.run.required_action
    if kept.run.status != "requires_action" or action is None:
        raise outputs_not_expected(kept.run.status)
    expected = [call["id"] for call in action["submit_tool_outputs"]["tool_calls"]]
    got = [output.tool_call_id for output in asked.tool_outputs]
    if sorted(expected) != sorted(got):
        raise other_outputs_expected(expected, got)
    return {output.tool_call_id: output.output for output in asked.tool_outputs}


async def cancel(request: web.Request) -> web.Response:
    kept = find_run(request)
    if kept.run.status not in CANCELLABLE:
        raise not_cancellable(kept.run.status)
    kept.run.status = "cancelling"
    kept.run.required_action = None
    kept.emit("thread.run.cancelling", kept.run)
    kept.cancel_asked = True
    kept.wake.set()
    return run_answer(request, kept.run)
