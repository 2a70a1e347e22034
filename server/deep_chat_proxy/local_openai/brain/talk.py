"""Small talk, and proof that the thread is remembered."""

import re
from collections.abc import Iterable

from deep_chat_proxy.local_openai.brain.actions import Action, Say
from deep_chat_proxy.local_openai.brain.conversation import Conversation
from deep_chat_proxy.local_openai.brain.entry import Entry, whole

HELP = whole(r"help(?:\s+me)?|what\s+can\s+(?:you\s+do|i\s+ask(?:\s+you)?)")
NAME = re.compile(r"\bmy\s+name\s+is\s+([\w'-]{1,40})", re.IGNORECASE)
LONGEST_ECHO = 1_000


def small_talk(text: str, conversation: Conversation) -> Iterable[Action]:
    """What is said where nothing else fits: an echo, so that one sees what arrived."""
    if not text:
        return (Say("I got a message without words. Write `help` to see what I can do."),)
    number = len(conversation.user_texts)
    quoted = text[:LONGEST_ECHO].replace("\n", "\n> ")
    return (
        Say(f"You said:\n\n> {quoted}\n\nThis is message {number} of our thread. Write `help` for ideas."),
    )


def _greeting(_found: re.Match[str], conversation: Conversation) -> Iterable[Action]:
    again = " again" if len(conversation.user_texts) > 1 else ""
    return (Say(f"Hello{again}! I am the **local assistant**. Write `help` to see what I can do."),)


def _thanks(_found: re.Match[str], _conversation: Conversation) -> Iterable[Action]:
    return (Say("You are *very* welcome!"),)


def _first(_found: re.Match[str], conversation: Conversation) -> Iterable[Action]:
    texts = conversation.user_texts
    if len(texts) == 1:
        return (Say("That was your first message."),)
    return (Say(f"The first thing you said was: “{texts[0][:LONGEST_ECHO]}”"),)


def _last(_found: re.Match[str], conversation: Conversation) -> Iterable[Action]:
    texts = conversation.user_texts
    if len(texts) == 1:
        return (Say("You said nothing before this."),)
    return (Say(f"Just before this you said: “{texts[-2][:LONGEST_ECHO]}”"),)


def _how_many(_found: re.Match[str], conversation: Conversation) -> Iterable[Action]:
    asked = len(conversation.user_texts)
    answered = len(conversation.messages) - asked
    return (Say(f"This thread has {asked} messages of yours, this one included, and {answered} of mine."),)


def _my_name(found: re.Match[str], _conversation: Conversation) -> Iterable[Action]:
    return (Say(f"Nice to meet you, {found[1]}!"),)


def _your_name(_found: re.Match[str], conversation: Conversation) -> Iterable[Action]:
    told = [found[1] for text in conversation.user_texts if (found := NAME.search(text))]
    return (Say(f"Your name is {told[-1]}." if told else "You have not told me your name."),)


def _instructions(_found: re.Match[str], conversation: Conversation) -> Iterable[Action]:
    return (Say(f"My instructions are: “{conversation.instructions}”"),)


ENTRIES = (
    Entry(
        whole(r"(?:hello|hi|hey|good\s+(?:morning|evening|day))(?:\s+\w+)?"), "hello", "a greeting", _greeting
    ),
    Entry(whole(r"(?:many\s+)?thank(?:s|\s+you).{0,40}"), "", "", _thanks),
    Entry(
        re.compile(r"\bwhat\s+did\s+i\s+(?:say|write|ask)\s+first\b|\bmy\s+first\s+message\b", re.IGNORECASE),
        "what did I say first?",
        "the first message of the thread",
        _first,
    ),
    Entry(
        re.compile(r"\bwhat\s+did\s+i\s+(?:just\s+)?(?:say|write|ask)\b", re.IGNORECASE),
        "what did I say before?",
        "the message before this one",
        _last,
    ),
    Entry(
        re.compile(r"\bhow\s+many\s+messages\b", re.IGNORECASE),
        "how many messages?",
        "counts the thread",
        _how_many,
    ),
    Entry(
        re.compile(r"\bwhat(?:'s|\s+is)\s+my\s+name\b", re.IGNORECASE),
        "my name is Ada, what is my name?",
        "remembers it",
        _your_name,
    ),
    Entry(NAME, "", "", _my_name),
    Entry(
        re.compile(r"\byour\s+instructions\b", re.IGNORECASE),
        "what are your instructions?",
        "quotes them, so that one sees what a run was given",
        _instructions,
    ),
)
