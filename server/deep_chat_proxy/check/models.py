"""Whether the model is there, as far as the back end tells."""

from msgspec import Struct

from deep_chat_proxy.check.findings import Finding, missing, note, works
from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.upstream.client import ApiClient, Call, path

NO_MODEL = "-"
"""Stands where a model is to be chosen from those that there are."""
_MOST_SHOWN = 20


class Model(Struct):
    id: str


class Models(Struct):
    data: list[Model]


async def check_model(client: ApiClient, model: str) -> list[Finding]:
    """The model `model`, which may be `NO_MODEL`, and which others there are."""
    chosen = model != NO_MODEL
    try:
        listed = (await client.ask(Call("GET", path("models")))).into(Models)
    except ChatError:
        if chosen:
            return [note(f"The back end does not list its models, so {model} is taken on trust.")]
        return [missing("No model is chosen, and the back end does not list any.", "DEEP_CHAT_MODEL")]
    names = sorted(each.id for each in listed.data)
    if model in names:
        return [works(f"The model {model} is there.", "DEEP_CHAT_MODEL")]
    shown = ", ".join(names[:_MOST_SHOWN]) or "none"
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    said = f"The model {model} is not among those it lists" if chosen else "No model is chosen"
    return [missing(f"{said}. There are: {shown}{more}.", "DEEP_CHAT_MODEL")]
