"""Calling any function by name, as a model would, or would wrongly."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from deep_chat_proxy.local_openai.brain.actions import Action, CallFunctions, Say
from deep_chat_proxy.local_openai.brain.conversation import Answered, Call, Conversation
from deep_chat_proxy.local_openai.brain.entry import Entry

CALL = re.compile(r"\bcall\s+([\w.-]{1,64})(?:\s+with\s+|[\s.!?]*$|(?=\s*(?:,|and\b|then\b)))", re.IGNORECASE)
THEN = re.compile(r"\bthen\b", re.IGNORECASE)
BETWEEN = " ,.;\t\r\n"
MOST_CALLS = 128
LONGEST_QUOTE = 2_000


def next_round(rounds: list[list[Call]], conversation: Conversation) -> CallFunctions | None:
    """The first calls that are still to be made; one at a time where parallel calls are not allowed."""
    done = [answered.call for answered in conversation.called]
    for round_ in rounds:
        left = []
        for call in round_:
            if call in done:
                done.remove(call)
            else:
                left.append(call)
        if left:
            return CallFunctions(tuple(left if conversation.parallel else left[:1]))
    return None


def forced(conversation: Conversation) -> Iterable[Action] | None:
    """The call that `tool_choice` demands, where nothing else in the message asks for one."""
    name = conversation.forced
    text = conversation.asked.text
    if name is None or conversation.rounds or CALL.search(text) or "weather" in text.casefold():
        return None
    schema = next((offered.parameters for offered in conversation.functions if offered.name == name), {})
    return (CallFunctions((Call(name, json.dumps(sample(schema))),)),)


def sample(schema: Any) -> Any:
    """A value that fits the usual keywords of a JSON schema; properties that are not required are left out."""
    if not isinstance(schema, dict):
        return "sample"
    if isinstance(choices := schema.get("enum"), list) and choices:
        return choices[0]
    match schema.get("type"):
        case "string":
            return "sample"
        case "number" | "integer":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "array":
            return []
        case _:
            return _sample_object(schema)


def _sample_object(schema: dict[str, Any]) -> dict[str, Any]:
    properties, required = schema.get("properties"), schema.get("required")
    known = properties if isinstance(properties, dict) else {}
    names = required if isinstance(required, list) else []
    return {str(name): sample(known.get(str(name))) for name in names}


def rounds_in(text: str) -> list[list[Call]]:
    """The calls named in `text`, grouped into the rounds that "then" divides."""
    rounds: list[list[Call]] = [[]]
    position = 0
    while len(rounds) + sum(map(len, rounds)) <= MOST_CALLS and (found := CALL.search(text, position)):
        if THEN.search(text, position, found.start()) and rounds[-1]:
            rounds.append([])
        arguments, position = _arguments(text, found)
        rounds[-1].append(Call(found[1], arguments))
    return rounds


def _arguments(text: str, found: re.Match[str]) -> tuple[str, int]:
    """The arguments after the name, with where they end; what is no JSON is taken up to the next call."""
    start = found.end()
    if not found[0].rstrip().casefold().endswith("with"):
        return "{}", start
    try:
        _value, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        following = CALL.search(text, start)
        end = following.start() if following else len(text)
        broken = _without_joint(text[start:end])
        return broken, start + len(broken)
    return text[start:end], end


def _without_joint(text: str) -> str:
    """`text` without the words and signs that lead over to what follows."""
    shorter = text.rstrip(BETWEEN)
    for joint in ("then", "and"):
        if shorter[-len(joint) - 1 :].casefold() in {joint, f" {joint}", f",{joint}"}:
            shorter = shorter[: -len(joint)].rstrip(BETWEEN)
    return shorter


def report(conversation: Conversation) -> Iterator[Action]:
    """What came back from every call, in words."""
    yield Say("Here is what my tools said:\n\n")
    for answered in conversation.called:
        output = answered.output[:LONGEST_QUOTE]
        if trouble := error_in(answered.output):
            yield Say(f"- `{answered.call.name}` did not work: {trouble}\n")
        else:
            yield Say(f"- `{answered.call.name}` answered: {output}\n")


def error_in(output: str) -> str | None:
    """What went wrong, where an output tells of that."""
    try:
        told = json.loads(output)
    except (ValueError, RecursionError):
        told = output
    if isinstance(told, dict) and told.get("error"):
        return str(told["error"])[:LONGEST_QUOTE]
    if isinstance(told, str) and re.match(r"\W*(error|failed|sorry)\b", told, re.IGNORECASE):
        return told[:LONGEST_QUOTE]
    return None


def _call(found: re.Match[str], conversation: Conversation) -> Iterable[Action]:
    following = next_round(rounds_in(found.string[found.start() :]), conversation)
    return (following,) if following else report(conversation)


def _no_tools(_found: re.Match[str], conversation: Conversation) -> Iterable[Action]:
    offered = ", ".join(f"`{function.name}`" for function in conversation.functions)
    return (Say(f"My functions are: {offered}." if offered else "I was given no functions."),)


def outputs_of(conversation: Conversation, name: str) -> list[Answered]:
    return [answered for answered in conversation.called if answered.call.name == name]


ENTRIES = (
    Entry(
        re.compile(r"^(?:please\s+)?" + CALL.pattern, re.IGNORECASE),
        'call NAME with {"json": 1}',
        'calls any function, also unknown ones or with broken JSON; "and call …" in parallel, "then call …" after it',
        _call,
    ),
    Entry(
        re.compile(r"\b(?:which|what)\s+(?:tools|functions)\b", re.IGNORECASE),
        "which tools do you have?",
        "names the functions of this run",
        _no_tools,
    ),
)
