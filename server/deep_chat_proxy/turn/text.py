"""The text of one answer: what the model wrote, as a visitor is to read it.

Models mark their sources with 【4:0†source】 and link files of their sandbox with
`[name](sandbox:/mnt/data/name)`; neither means anything in a browser, so a marker is dropped and such a
link becomes its label (the file itself follows as a file). Brackets without a † are left alone: they are
ordinary in Chinese and Japanese. Text that may be the beginning of a marker or link is held back until that
is clear; the bounds in the patterns bound it to about 500 characters.
"""

import re

_MARKER = r"【[^【】†\n]{0,40}†[^【】\n]{0,255}"
_LABEL = r"!?\[(?P<label>[^\[\]\n]{0,200})\]"
_TARGET = r"\(sandbox:[^()\n]{0,300}"
_WHOLE = rf"{_MARKER}】|{_LABEL}{_TARGET}\)"
# Every beginning of one of them: with a pattern that misses one, a split there would change the text.
_BEGUN_TARGET = "|".join(re.escape("(sandbox:"[:length]) for length in range(1, len("(sandbox:")))
_BEGUN = rf"(?P<begun>(?:{_MARKER}|【[^【】†\n]{{0,40}}|!?\[[^\[\]\n]{{0,200}}(?:\](?:{_TARGET}|{_BEGUN_TARGET})?)?|!)\Z)"
_IN_STREAM = re.compile(f"{_WHOLE}|{_BEGUN}")
# At the end of an answer that was broken off, a marker or link may be there in part.
_AT_END = re.compile(rf"{_MARKER}(?:】|\Z)|{_LABEL}{_TARGET}(?:\)|\Z)")
_MARKERS = re.compile(f"{_MARKER}】")


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
        if "【" in text or "[" in text or text.endswith("!"):
            text = _IN_STREAM.sub(self._sifted, text)
        return self._show(text)

    def start_part(self) -> str:
        """A new part or message begins; returns what was still held of the one before."""
        rest = self.finish()
        self._break_due = self.any_shown
        return rest

    def finish(self) -> str:
        """No more text follows; returns what was still held."""
        rest, self._held = self._held, ""
        return self._show(_AT_END.sub(_readable, rest))

    def replace(self, text: str) -> str:
        """The whole text anew, from its beginning; returns what of it can be shown now."""
        self.any_shown = self._break_due = False
        self._held = ""
        return self.add(text)

    def _sifted(self, found: re.Match[str]) -> str:
        if found["begun"] is None:
            return _readable(found)
        self._held = found["begun"]
        return ""

    def _show(self, text: str) -> str:
        if not text:
            return ""
        if self._break_due:
            text = "\n\n" + text
            self._break_due = False
        self.any_shown = self.any_shown or not text.isspace()
        return text


def _readable(found: re.Match[str]) -> str:
    """What is shown in place of a marker (nothing) or a link (its label)."""
    return _MARKERS.sub("", found["label"] or "")
