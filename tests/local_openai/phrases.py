"""What the local assistant can be asked for."""

from deep_chat_proxy.local_openai.brain import reply
from deep_chat_proxy.local_openai.brain.actions import Say
from deep_chat_proxy.local_openai.brain.conversation import Conversation, Said

QUIET = {
    "cut the connection",
    "hang",
    "hang at once",
    "http 500, http 429 once",
    "no quota",
    "wait 3 seconds, then …",
}
"""Examples of `help` that are no stream that ends soon; each has a test of its own."""


def examples() -> list[str]:
    """Everything that `help` names, as a visitor would write it."""
    actions = reply(Conversation(messages=(Said(by_user=True, text="help"),)))
    lines = [action.text for action in actions if isinstance(action, Say) and action.text.startswith("- `")]
    named = [line[3:].partition("`:")[0] for line in lines]
    return [one.replace("NAME", "f").replace("slowly …, be slow", "slowly count to 2") for one in named]
