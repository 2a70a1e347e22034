"""The text of one answer: what the model wrote, as a visitor is to read it.

Models mark their sources with 【4:0†source】 and link files of their sandbox with
`[name](sandbox:/mnt/data/name)`; neither means anything in a browser, so a marker is dropped and such a
link becomes its label (the file itself follows as a file). Text that may be the beginning of one is held
back until it is clear, at most `_LONGEST` characters.
"""

import re

_MARKER = re.compile(r"【[^【】\n]{0,80}】")
_SANDBOX_LINK = re.compile(r"!?\[([^\[\]\n]{0,200})\]\(sandbox:[^)\s]{0,300}\)")
_OPEN = re.compile(r"(?:【[^【】\n]{0,80}|!?\[[^\[\]\n]{0,200}(?:\](?:\((?:s[^)\s]{0,308})?)?)?|!)\Z")
_LONGEST = 600


class AnswerText:
    """Joins the parts of an answer with blank lines and makes what cannot be shown readable."""

    def __init__(self) -> None:
        self.any_shown = False
        self._held = ""
        self._break_due = False

    def add(self, text: str) -> str:
        """Take more of the model's text; returns what of it can be shown now."""
        text = self._held + text
        self._held = ""
        if "【" in text or "[" in text or "!" in text:
            text = self._clean(text)
            if opened := _OPEN.search(text, max(len(text) - _LONGEST, 0)):
                self._held = text[opened.start() :]
                text = text[: opened.start()]
        return self._show(text)

    def start_part(self) -> str:
        """A new part or message begins; returns what was still held of the one before."""
        rest = self.finish()
        self._break_due = self.any_shown
        return rest

    def finish(self) -> str:
        """No more text follows; returns what was still held."""
        rest, self._held = self._held, ""
        return self._show(rest)

    def replace(self, text: str) -> str:
        """The whole text anew, from its beginning."""
        self.any_shown = self._break_due = False
        self._held = ""
        return self._show(self._clean(text))

    def _clean(self, text: str) -> str:
        return _SANDBOX_LINK.sub(r"\1", _MARKER.sub("", text))

    def _show(self, text: str) -> str:
        if not text:
            return ""
        if self._break_due:
            text = "\n\n" + text
            self._break_due = False
        self.any_shown = True
        return text
