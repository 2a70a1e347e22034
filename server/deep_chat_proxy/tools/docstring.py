"""What a docstring tells the model: the description, and a sentence on each parameter."""

import inspect
import re

from msgspec import Struct

_SECTION = re.compile(r"(args|arguments|parameters|returns?|raises|yields):\s*")
_ARGUMENT_SECTIONS = frozenset({"args", "arguments", "parameters"})
_ARGUMENT = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")
_FIELD = re.compile(r":(param|parameter|arg|argument)\s(?:[^:]*\s)?(\w+)\s*:\s*(.*)")
_OTHER_FIELD = re.compile(r":(type|returns?|rtype|raises?|yields?|ytype)\b[^:]*:.*")


class Doc(Struct, frozen=True):
    """`description` is empty where there is none; `parameters` holds the described ones only."""

    description: str
    parameters: dict[str, str]


def read_docstring(text: str | None) -> Doc:
    """Read a docstring: prose, then a Google-style `Args:` section or Sphinx `:param name:` fields.

    The description is the prose before the first section or field. Takes any text, never raises.
    """
    reader = _Reader()
    for line in inspect.cleandoc(text or "").splitlines():
        reader.take(line)
    parameters = {name: " ".join(words) for name, words in reader.parameters.items()}
    return Doc("\n".join(reader.prose).strip(), {name: said for name, said in parameters.items() if said})


class _Reader:
    """Goes through the lines; `words` is where the line that follows is continued, if anywhere."""

    def __init__(self) -> None:
        self.prose: list[str] = []
        self.parameters: dict[str, list[str]] = {}
        self._in_prose = True
        self._in_arguments = False
        self._argument_indent: int | None = None
        self._words: list[str] | None = None

    def take(self, line: str) -> None:
        stripped = line.strip()
        indent = len(line) - len(line.lstrip())
        if indent == 0 and (section := _SECTION.fullmatch(stripped.lower())):
            self._in_prose = False
            self._in_arguments = section[1] in _ARGUMENT_SECTIONS
            self._argument_indent = self._words = None
        elif field := _FIELD.fullmatch(stripped):
            self._in_prose = self._in_arguments = False
            self._describe(field[2], field[3])
        elif _OTHER_FIELD.fullmatch(stripped):
            self._in_prose = self._in_arguments = False
            self._words = None
        elif self._in_prose:
            self.prose.append(line.rstrip())
        elif stripped:
            self._take_indented(stripped, indent)

    def _take_indented(self, stripped: str, indent: int) -> None:
        if indent == 0:
            self._in_arguments = False
            self._words = None
        elif self._starts_argument(indent) and (argument := _ARGUMENT.fullmatch(stripped)):
            self._argument_indent = indent
            self._describe(argument[1], argument[2])
        elif self._words is not None:
            self._words.append(stripped)

    def _starts_argument(self, indent: int) -> bool:
        # Lines deeper than the first argument continue it, also where they hold a colon.
        return self._in_arguments and self._argument_indent in {None, indent}

    def _describe(self, name: str, first_words: str) -> None:
        self._words = self.parameters.setdefault(name, [])
        if first_words:
            self._words.append(first_words)
