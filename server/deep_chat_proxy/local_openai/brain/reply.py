"""From a conversation to what the assistant does next."""

import re
from collections.abc import Iterable, Iterator

from deep_chat_proxy.local_openai.brain import (
    hosted,
    making,
    mishaps,
    reading,
    showcase,
    talk,
    tool_calls,
    weather,
)
from deep_chat_proxy.local_openai.brain.actions import Action, Pace, Say, Think, Wait
from deep_chat_proxy.local_openai.brain.conversation import Conversation
from deep_chat_proxy.local_openai.brain.entry import Entry

SLOW_PACE = 0.25
"""Seconds between two pieces of text of a slow answer."""
LONGEST_WAIT = 600
"""Seconds; a longer wait is cut to this."""

SLOWLY = re.compile(r"^(?:please\s+)?(?:be\s+slow|slowly)\b[\s,:;.]*(?:(?:and|then)\s+)?", re.IGNORECASE)
WAITING = re.compile(
    r"^(?:please\s+)?wait\s+(\d{1,4}(?:\.\d{1,3})?)\s*s(?:ec(?:ond)?s?)?\b[\s,:;.]*(?:(?:and|then)\s+)*",
    re.IGNORECASE,
)
THINKING = re.compile(
    r"^(?:please\s+)?think\s+hard(?:er)?\b[\s,:;.]*(?:(?:and|then|about)\s+)?", re.IGNORECASE
)
SUMMARY = (
    "**Reading the question**\n\nI look at every word of it, and at what was said before.",
    "**Weighing the answer**\n\nThere is one answer that fits, and I will give that one.",
)
MODIFIERS_HELP = (
    ("slowly …, be slow", "anything, with long pauses between the words"),
    ("wait 3 seconds, then …", "anything, after a silence"),
    ("think hard, then …", "anything, after some reasoning, with a summary where the protocol has one"),
)


def reply(conversation: Conversation) -> tuple[Action, ...]:
    """
    What the assistant does now: on the visitor's last message or, after a tool round, on its outputs.

    A reply ends with the last action, or at `CallFunctions`, after which the same conversation with
    one more round is asked for again. A `RejectRequest` only ever stands first. An empty reply is a
    turn in which nothing is said.
    """
    text = conversation.asked.text.strip()
    actions: list[Action] = []
    while modifier := _modifier(text):
        action, text = modifier
        if not conversation.rounds:
            actions.append(action)
    actions.extend(_answer(text, conversation))
    if not conversation.rounds and len(actions) > 1 and mishaps.rejects(actions[-1]):
        return (actions[-1],)
    return tuple(actions)


def _modifier(text: str) -> tuple[Action, str] | None:
    if found := SLOWLY.match(text):
        return Pace(SLOW_PACE), text[found.end() :]
    if found := WAITING.match(text):
        return Wait(min(float(found[1]), LONGEST_WAIT)), text[found.end() :]
    if found := THINKING.match(text):
        return Think(SUMMARY), text[found.end() :]
    return None


def _answer(text: str, conversation: Conversation) -> Iterable[Action]:
    if forced := tool_calls.forced(conversation):
        return forced
    answer = _first_of(COMMANDS, text, conversation)
    if answer is not None:
        return answer
    if conversation.rounds:
        # Of a forced call: nothing below would say a word about its output.
        return tool_calls.report(conversation)
    if conversation.new_files:
        return reading.describe(conversation)
    return _first_of(TALK, text, conversation) or talk.small_talk(text, conversation)


def _first_of(rows: tuple[Entry, ...], text: str, conversation: Conversation) -> Iterable[Action] | None:
    for entry in rows:
        if found := entry.pattern.search(text):
            return tuple(entry.play(found, conversation))
    return None


def _help(_found: re.Match[str], conversation: Conversation) -> Iterator[Action]:
    yield Say("I am the **local assistant**: no key, no network. Try one of these:\n\n")
    pleasant = [entry for entry in (*TALK, *COMMANDS) if entry not in mishaps.ENTRIES]
    yield from _examples([(entry.example, entry.effect) for entry in pleasant])
    yield from _examples(MODIFIERS_HELP)
    yield Say("\nAnd to see what goes wrong at a back end:\n\n")
    yield from _examples([(entry.example, entry.effect) for entry in mishaps.ENTRIES])
    offered = ", ".join(f"`{function.name}`" for function in conversation.functions) or "none"
    yield Say(f"\nFunctions I was given: {offered}.")


def _examples(rows: Iterable[tuple[str, str]]) -> Iterator[Action]:
    for example, effect in rows:
        if example:
            yield Say(f"- `{example}`: {effect}\n")


COMMANDS = (
    *mishaps.ENTRIES,
    *tool_calls.ENTRIES,
    *hosted.ENTRIES,
    *reading.CITING,
    Entry(talk.HELP, "help", "this list", _help),
    *weather.ENTRIES,
)
"""What is done even when files came with the message, in the order in which it is tried."""

TALK = (*reading.ENTRIES, *making.ENTRIES, *showcase.ENTRIES, *talk.ENTRIES)
"""What else is known; where files came, it is them that are talked about."""
