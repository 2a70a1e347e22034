"""A title for a conversation, made by a model from the message that begins it."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from deep_chat_proxy.upstream.client import ApiClient, Call, path

_ASKED = (
    "Name the conversation that begins with the user's message: two to six words in the language of the message,"
    " without quotation marks and without a full stop. Answer with the name alone."
)
# More of a message does not change its title.
_LONGEST_TEXT = 2_000
_LONGEST_TITLE = 80
_AROUND = " \t\"'“”„«»`*#."


class _Message(Struct, frozen=True):
    content: Any = None


class _Choice(Struct):
    message: _Message = _Message()


class _Completion(Struct):
    choices: Sequence[_Choice] = ()


class _Item(Struct):
    type: str = ""
    content: Any = None


class _Response(Struct):
    output: Sequence[_Item] = ()


async def by_completion(client: ApiClient, model: str, text: str) -> str | None:
    """A title by Chat Completions. Raises ChatError."""
    messages = [
        {"role": "system", "content": _ASKED},
        {"role": "user", "content": text[:_LONGEST_TEXT]},
    ]
    call = Call("POST", path("chat", "completions"), json={"model": model, "messages": messages})
    made = (await client.ask(call)).into(_Completion)
    return next((_title(choice.message.content) for choice in made.choices), None)


async def by_response(client: ApiClient, model: str, text: str) -> str | None:
    """A title by Responses, of which the back end keeps nothing. Raises ChatError."""
    body = {"model": model, "instructions": _ASKED, "input": text[:_LONGEST_TEXT], "store": False}
    made = (await client.ask(Call("POST", path("responses"), json=body))).into(_Response)
    return next((_title(_text(item)) for item in made.output if item.type == "message"), None)


def _text(item: _Item) -> str:
    if isinstance(item.content, str):
        return item.content
    parts = item.content if isinstance(item.content, list) else []
    return "".join(
        part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)
    )


def _title(content: object) -> str | None:
    if not isinstance(content, str):
        return None
    line = " ".join(content.split()).strip(_AROUND)
    return line if 0 < len(line) <= _LONGEST_TITLE else None
