"""Answers that show what a page must be able to show."""

import re
from collections.abc import Iterable

from deep_chat_proxy.local_openai.brain.actions import Action, Say
from deep_chat_proxy.local_openai.brain.conversation import Conversation
from deep_chat_proxy.local_openai.brain.entry import Entry, Play, anywhere

HIGHEST_COUNT = 10_000
TABLE = """| Planet | Moons | Day |
| --- | ---: | --- |
| Mars | 2 | 24.6 hours |
| Jupiter | 95 | 9.9 hours |
| Venus | 0 | 243 days |
"""
CODE = """```python
def greet(name: str) -> str:
    return f"Hello, {name}!"
```
"""
MARKDOWN = f"""# A heading

Some **bold**, some *italic*, some `code` and a [link](https://example.org/).

- a list
- of two

{TABLE}
{CODE}
> And a quotation.
"""
UNICODE = (
    "Emoji: 👩‍👩‍👧‍👦 🇪🇺 👍🏽. Right to left: שלום עולם, مرحبا بالعالم. "
    "Combining: é ñ Z͑a͗l̾g̈o. Wide: 你好世界。 Mathematics: ∑ ≠ ∞. Line separator:\u2028done."
)
PARAGRAPH = (
    "This is paragraph {number} of a long answer, written so that a page can show how it scrolls, "
    "how it keeps up with the text, and what it does when the visitor scrolls back to read. "
    "It says nothing else, and it says so at some length."
)


def _always(text: str) -> Play:
    def play(_found: re.Match[str], _conversation: Conversation) -> Iterable[Action]:
        return (Say(text),)

    return play


def _count(found: re.Match[str], _conversation: Conversation) -> Iterable[Action]:
    highest = min(int(found[1]), HIGHEST_COUNT)
    return tuple(Say(f"{number} ") for number in range(1, highest + 1))


def _long(_found: re.Match[str], _conversation: Conversation) -> Iterable[Action]:
    return tuple(Say(PARAGRAPH.format(number=number) + "\n\n") for number in range(1, 13))


ENTRIES = (
    Entry(anywhere("unicode"), "unicode", "emoji, right-to-left and combining characters", _always(UNICODE)),
    Entry(anywhere(r"count\s+to\s+(\d{1,6})"), "count to 20", "one piece of text for each number", _count),
    Entry(anywhere(r"long\s+(?:answer|text|story)"), "long answer", "twelve paragraphs", _long),
    Entry(anywhere("markdown"), "show markdown", "headings, lists, a table, code", _always(MARKDOWN)),
    Entry(
        anywhere("table"), "show a table", "a Markdown table and a code block", _always(f"{TABLE}\n{CODE}")
    ),
    Entry(anywhere("code"), "show code", "a fenced block of code and a table", _always(f"{CODE}\n{TABLE}")),
)
