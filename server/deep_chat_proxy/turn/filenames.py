"""A file's name as it may be shown and sent on; it never becomes part of a path."""

import re
import unicodedata

LONGEST = 120
"""Characters of a safe name, extension included."""

_LONGEST_EXTENSION = 16
# Of a declared name only its end is looked at: normalising takes quadratic time on combining marks, and a name
# in JSON may be as long as the request.
_LONGEST_DECLARED = 1024
# Zero-width joiners are part of how Persian and emoji sequences are written; other format characters
# (bidi overrides, zero-width spaces) can only mislead.
_JOINERS = "\u200c\u200d"
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_SPACES = re.compile(r"\s+")
# WHATWG HTML, multipart/form-data encoding: these three, and no others, are escaped in a name.
_ESCAPES = {"%22": '"', "%0D": " ", "%0A": " "}
_ESCAPED = re.compile("|".join(_ESCAPES), re.IGNORECASE)


def printable(text: str) -> str:
    """`text` on one line, without what cannot be shown, as for a title."""
    words = " ".join(text.split())
    return "".join(letter for letter in words if letter.isprintable() or letter in _JOINERS)


def safe_name(declared: str) -> str:
    """The last part of `declared`, NFC, without control or bidi characters, 1 to `LONGEST` characters.

    Whatever is left without a letter to show (empty, `..`, only spaces) becomes "file".
    """
    name = _ESCAPED.sub(lambda found: _ESCAPES[found[0].upper()], declared[-_LONGEST_DECLARED:])
    name = name.replace("\\", "/").rpartition("/")[2]
    # Line breaks are spaces before they are control characters, and what is dropped may stand between spaces.
    name = _SPACES.sub(" ", "".join(letter for letter in _SPACES.sub(" ", name) if _shown(letter)))
    name = unicodedata.normalize("NFC", name).strip().rstrip(". ")
    if not name.strip("." + _JOINERS):
        return "file"
    return _shortened(name)


def _shown(letter: str) -> bool:
    return letter in _JOINERS or unicodedata.category(letter) not in _DROPPED_CATEGORIES


def _shortened(name: str) -> str:
    if len(name) <= LONGEST:
        return name
    stem, dot, extension = name.rpartition(".")
    if not stem or not 0 < len(extension) < _LONGEST_EXTENSION:
        return name[:LONGEST].rstrip(". ")
    return stem[: LONGEST - 1 - len(extension)].rstrip(". ") + dot + extension
