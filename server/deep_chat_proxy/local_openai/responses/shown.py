"""What of an item or a response goes out: some parts only to those who ask for them (`include`)."""

from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web

from deep_chat_proxy.local_openai.responses.objects import Item, Response


def included(request: web.Request) -> frozenset[str]:
    """What the query of a request asks for."""
    return frozenset(request.query.getall("include[]", []) + request.query.getall("include", []))


def shown_items(items: Iterable[Item], include: frozenset[str]) -> list[Item]:
    return [shown_item(item, include) for item in items]


def shown_item(item: Item, include: frozenset[str]) -> Item:
    """The item for the wire; it is not changed itself."""
    match item["type"]:
        case "message":
            return {**item, "content": [_shown_part(part, include) for part in item["content"]]}
        case "file_search_call" if "file_search_call.results" not in include:
            return {**item, "results": None}
        case "code_interpreter_call" if "code_interpreter_call.outputs" not in include:
            return {**item, "outputs": None}
        case "web_search_call" if "web_search_call.action.sources" not in include:
            return _without_sources(item)
        case "reasoning" if "reasoning.encrypted_content" not in include:
            return {name: value for name, value in item.items() if name != "encrypted_content"}
        case _:
            return item


def _without_sources(item: Item) -> Item:
    action = item.get("action")
    if not isinstance(action, dict):
        return item
    return {**item, "action": {name: value for name, value in action.items() if name != "sources"}}


def _shown_part(part: Item, include: frozenset[str]) -> Item:
    if part["type"] == "input_image" and "message.input_image.image_url" not in include:
        return {**part, "image_url": None}
    if part["type"] == "input_file":
        return {**part, "file_data": None}
    return part


def shown_response(response: Response, include: frozenset[str]) -> Any:
    """The response for the wire."""
    whole = msgspec.to_builtins(response)
    return {**whole, "output": shown_items(response.output, include)}
