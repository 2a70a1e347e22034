"""Answers about files that the visitor attached."""

import re
from collections.abc import Iterable, Iterator

from deep_chat_proxy.local_openai.brain import sniff
from deep_chat_proxy.local_openai.brain.actions import Action, Cite, Found, RunCode, Say, SearchFiles
from deep_chat_proxy.local_openai.brain.conversation import Attachment, Conversation, Use
from deep_chat_proxy.local_openai.brain.entry import Entry, whole
from deep_chat_proxy.local_openai.brain.listening import heard

QUOTED = 200
"""Characters that are quoted of a file."""


def describe(conversation: Conversation, files: tuple[Attachment, ...] = ()) -> Iterator[Action]:
    """What is in `files`, or else in those that are new: the built-in tools first, then a line for each."""
    files = files or conversation.new_files
    yield from _tool_steps(files, conversation.built_in)
    if len(files) > 1:
        yield Say(f"You gave me {len(files)} files:\n\n")
    for file in files:
        if len(files) > 1:
            yield Say("- ")
        yield from _line(file)
        yield Say("\n")


def _tool_steps(files: tuple[Attachment, ...], built_in: frozenset[str]) -> Iterator[Action]:
    # What came inside of a message is read there: only a stored file can be searched for, or cited.
    searched = [file for file in files if file.use is Use.SEARCH and file.file_id]
    if searched and Use.SEARCH in built_in:
        yield SearchFiles(tuple(Found(file.file_id, file.name, _quote(file) or "") for file in searched))
    for file in files:
        if file.use is Use.CODE and Use.CODE in built_in:
            path = f"/mnt/data/{file.file_id}-{file.name}" if file.file_id else f"/mnt/data/{file.name}"
            yield RunCode(
                f"print(open({path!r}).read({QUOTED}))\n", (_quote(file) or f"{len(file.data)} bytes") + "\n"
            )


def _line(file: Attachment) -> Iterator[Action]:
    if picture := sniff.picture(file.data):
        yield Say(f"This is a {picture.format} picture of {picture.width} x {picture.height} pixels.")
        return
    if said := heard(file.data):
        yield Say(f"I listened to **{file.name}**: “{said}”")
        return
    quote = _quote(file)
    if not quote:
        kind = "a PDF without text that I can read" if quote == "" else "a binary file"
        kind = "empty" if not file.data else kind
        yield Say(f"**{file.name}** is {kind}, {len(file.data)} bytes long.")
        return
    yield Say(f"**{file.name}** ({len(file.data)} bytes) says: “{quote}”")
    if file.use is Use.SEARCH and file.file_id:
        yield Cite(file.file_id)


def _quote(file: Attachment) -> str | None:
    """The beginning of a file's text, on one line; None where the file holds no text."""
    pdf = sniff.pdf_text(file.data)
    text = sniff.text(file.data[: 8 * QUOTED]) if pdf is None else pdf
    return None if text is None else " ".join(text.split())[:QUOTED]


def _about_files(_found: re.Match[str], conversation: Conversation) -> Iterable[Action]:
    latest = _latest(conversation)
    if not latest:
        return (Say("I see no file in this thread. Attach one, and I will tell you what is in it."),)
    return describe(conversation, latest)


def _latest(conversation: Conversation) -> tuple[Attachment, ...]:
    """The files that came last."""
    before = (said.files for said in reversed(conversation.messages) if said.files)
    return conversation.new_files or next(before, ())


def _cite(_found: re.Match[str], conversation: Conversation) -> Iterator[Action]:
    stored = [file for file in _latest(conversation) if file.file_id and _quote(file)]
    if not stored:
        yield Say("I can cite only a text that was stored with the thread, and I see none.")
        return
    file, words = stored[0], (_quote(stored[0]) or "").split()
    if Use.SEARCH in conversation.built_in:
        yield SearchFiles((Found(file.file_id, file.name, _quote(file) or ""),))
    yield Say(f"The first word of {file.name} is “{words[0]}”")
    yield Cite(file.file_id, "【4:0†source】")
    yield Say(f". The last one that I read is “{words[-1]}”")
    yield Cite(file.file_id, "【4:1†source】")
    yield Say(".")


CITING = (
    Entry(
        whole(r"cite\s+(?:the|this|my)\s+(?:file|document)"),
        "cite the file",
        "two citations of an attached text, also of one from earlier in the thread",
        _cite,
    ),
)
"""What is done with new files, too, instead of describing them."""
ENTRIES = (
    Entry(
        re.compile(r"\b(?:file|files|document|picture|image|photo|attachment|attached|pdf)\b", re.IGNORECASE),
        "what is in this file?",
        "quotes the attached file, also one from earlier in the thread",
        _about_files,
    ),
)
