"""Questions about the weather, answered through the function `get_weather`."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from deep_chat_proxy.local_openai.brain.actions import Action, CallFunctions, Say
from deep_chat_proxy.local_openai.brain.conversation import Answered, Call, Conversation
from deep_chat_proxy.local_openai.brain.entry import Entry
from deep_chat_proxy.local_openai.brain.tool_calls import LONGEST_QUOTE, error_in, next_round, outputs_of

TOOL = "get_weather"
MOST_CITIES = 20
PLACES = re.compile(r"\b(?:in|for|at|of)\s+(.+)", re.IGNORECASE | re.DOTALL)
NOT_A_PLACE = re.compile(
    r"\b(?:(?:in|as)\s+)?(?:degrees\s+)?(?:fahrenheit|celsius)\b|\b(?:right\s+)?now\b"
    r"|\b(?:today|tomorrow|please|like)\b|[.!?:;\"`*]",
    re.IGNORECASE,
)
SYMBOLS = {"celsius": "°C", "fahrenheit": "°F"}


def _calls(text: str) -> list[list[Call]]:
    """One round for each part that "then" divides, one call for each place in it."""
    found = PLACES.search(text)
    if not found:
        return []
    unit = "fahrenheit" if "fahrenheit" in text.casefold() else "celsius"
    rounds = []
    for part in re.split(r"\bthen\b", found[1], flags=re.IGNORECASE):
        words = NOT_A_PLACE.sub(" ", part)
        places = [
            re.sub(r"^(?:in|for|at|of)\s+", "", place.strip(), flags=re.IGNORECASE)
            for place in re.split(r",|&|\band\b", words, flags=re.IGNORECASE)
        ]
        rounds.append(
            [
                Call(
                    TOOL, json.dumps({"location": " ".join(place.split()), "unit": unit}, ensure_ascii=False)
                )
                for place in dict.fromkeys(places)
                if place
            ]
        )
    return [round_[:MOST_CITIES] for round_ in rounds[:MOST_CITIES] if round_]


def _weather(found: re.Match[str], conversation: Conversation) -> Iterable[Action]:
    return _ask(_calls(found.string[found.start() :]), conversation)


def _twice(_found: re.Match[str], conversation: Conversation) -> Iterable[Action]:
    return _ask(_calls("weather in Paris then in Rome"), conversation)


def _ask(rounds: list[list[Call]], conversation: Conversation) -> Iterable[Action]:
    if not conversation.offers(TOOL):
        return (Say(f"I cannot look out of the window: I was given no weather tool (`{TOOL}`)."),)
    if not rounds:
        return (Say("For which city? Ask me, for example: *What is the weather in Paris and Rome?*"),)
    following: CallFunctions | None = next_round(rounds, conversation)
    return (following,) if following else _in_words(outputs_of(conversation, TOOL))


def _in_words(outputs: list[Answered]) -> Iterator[Action]:
    yield Say("Here is the weather:\n\n")
    for answered in outputs:
        place = json.loads(answered.call.arguments)["location"]
        if trouble := error_in(answered.output):
            yield Say(f"- **{place}**: I could not find out, because something went wrong: {trouble}\n")
        else:
            yield Say(f"- **{place}**: {_facts(answered.output)}\n")


def _facts(output: str) -> str:
    try:
        told = json.loads(output)
    except (ValueError, RecursionError):
        told = output
    if not isinstance(told, dict):
        return output[:LONGEST_QUOTE]
    return ", ".join(
        _fact(name, value, told) for name, value in told.items() if name not in {"location", "unit"}
    )[:LONGEST_QUOTE]


def _fact(name: str, value: Any, told: dict[str, Any]) -> str:
    if name in {"temperature", "temp"}:
        return f"{value} {SYMBOLS.get(str(told.get('unit')), '')}".strip()
    return value if isinstance(value, str) else f"{name} {value}"


ENTRIES = (
    Entry(
        re.compile(r"\bweather\b", re.IGNORECASE),
        "weather in Paris and Rome",
        f"calls `{TOOL}` for both at once; add *in fahrenheit*, or *then in Oslo* for a second round",
        _weather,
    ),
    Entry(
        re.compile(r"\buse\s+(?:the\s+|your\s+)?tools?\s+twice\b", re.IGNORECASE),
        "use the tools twice",
        "two tool rounds, one after the other",
        _twice,
    ),
)
