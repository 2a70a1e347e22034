"""Files that the assistant makes with its code interpreter: a table as CSV, a chart as PNG."""

import re
from collections.abc import Iterator

from deep_chat_proxy.local_openai.brain.actions import (
    Action,
    DrawImage,
    MadeFile,
    Offer,
    RunCode,
    Say,
    Show,
)
from deep_chat_proxy.local_openai.brain.conversation import Conversation
from deep_chat_proxy.local_openai.brain.entry import Entry, anywhere
from deep_chat_proxy.local_openai.brain.png import bar_chart

ROWS = (("Paris", 21), ("Rome", 27), ("Oslo", 14), ("Tokyo", 25), ("Lima", 18))
CSV_CODE = """import csv
with open("/mnt/data/cities.csv", "w", newline="") as file:
    csv.writer(file).writerows([("city", "celsius"), *rows])
print(len(rows), "rows")
"""
CHART_CODE = """import matplotlib.pyplot as plt
plt.bar(*zip(*rows))
plt.savefig("/mnt/data/cities.png")
"""
NO_TOOL = Say("I can make files only with the code interpreter, and this run does not have it.")


def _csv(_found: re.Match[str], conversation: Conversation) -> Iterator[Action]:
    if "code_interpreter" not in conversation.built_in:
        yield NO_TOOL
        return
    table = "".join(f"{city},{degrees}\r\n" for city, degrees in (("city", "celsius"), *ROWS))
    made = MadeFile("cities.csv", table.encode())
    yield RunCode(CSV_CODE, f"{len(ROWS)} rows\n")
    yield Say("Here is your file: [cities.csv](")
    yield Offer(made)
    yield Say(f"). It has {len(ROWS)} rows.")


def _chart(_found: re.Match[str], conversation: Conversation) -> Iterator[Action]:
    made = MadeFile("cities.png", bar_chart([degrees for _city, degrees in ROWS]))
    if "code_interpreter" in conversation.built_in:
        yield RunCode(CHART_CODE, image=made)
        yield Show(made)
    elif "image_generation" in conversation.built_in:
        yield DrawImage("A bar chart of the temperatures in five cities.", made)
    else:
        yield NO_TOOL
        return
    yield Say("The bars are " + ", ".join(f"{city} ({degrees})" for city, degrees in ROWS) + ".")


ENTRIES = (
    Entry(anywhere("csv|spreadsheet"), "make a csv", "a file to download", _csv),
    Entry(anywhere("chart|draw|plot|diagram"), "draw a chart", "a picture as part of the answer", _chart),
)
