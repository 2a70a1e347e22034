"""Run steps: list, retrieve."""

from aiohttp import web

from deep_chat_proxy.local_openai import body, paging
from deep_chat_proxy.local_openai.assistants.finding import find_run
from deep_chat_proxy.local_openai.assistants.stage import shown_step
from deep_chat_proxy.local_openai.errors import not_found

SEARCH_CONTENT = "step_details.tool_calls[*].file_search.results[*].content"


def wants_search_content(request: web.Request) -> bool:
    """Whether the text that a file search found is to be shown."""
    asked = request.query.getall("include[]", []) + request.query.getall("include", [])
    return SEARCH_CONTENT in asked


async def list_steps(request: web.Request) -> web.Response:
    steps = list(find_run(request).steps.values())
    chosen, has_more = paging.page(steps, paging.query(request), what="step", id_of=lambda step: step.id)
    shown = [shown_step(step, with_content=wants_search_content(request)) for step in chosen]
    return body.answer(paging.list_object(shown, [step.id for step in chosen], has_more=has_more))


async def retrieve(request: web.Request) -> web.Response:
    steps = find_run(request).steps
    step_id = request.match_info["step_id"]
    if step_id not in steps:
        raise not_found("step", step_id)
    return body.answer(shown_step(steps[step_id], with_content=wants_search_content(request)))
