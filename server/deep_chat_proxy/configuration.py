"""Reading the settings: flags first, then the environment, then a `.env` file. A wrong one is refused by name."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from deep_chat_proxy.settings import Settings

_PREFIX = "DEEP_CHAT_"
_QUOTED = re.compile(r"""(["'])(.*?)\1(?:\s+#.*)?\Z""")
_COMMENT = re.compile(r"(?:\A|\s+)#.*\Z")
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*\Z")
_JSON = '{"name": "value"}'
_JSON_EXAMPLES = {"mcp_servers": '{"dice": {"server_url": "https://example.com/mcp"}}'}
_FIELD = re.compile(r"\$\.([a-z_]+)")


class SettingsError(ValueError):
    """A setting is unknown, missing or out of range; the message names it and says what to do."""


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return name.upper() if name.startswith("openai_") else _PREFIX + name.upper()


def load_settings(
    environ: Mapping[str, str], flags: Mapping[str, Any] | None = None, env_file: Path | None = None
) -> Settings:
    """The settings. `flags` go first (None: not given), then `environ`, then `env_file` if it exists.

    Raises SettingsError.
    """
    names = {variable(name): name for name in Settings.__struct_fields__}
    values: dict[str, Any] = {}
    for source in (read_env_file(env_file) if env_file is not None else {}, environ):
        for key, text in source.items():
            if key in names:
                # Compose files and unit files pass on what is not set as empty.
                if not text:
                    continue
                if not _is_text(text):
                    raise SettingsError(f"{key} is not written in UTF-8")
                values[names[key]] = _shaped(key, names[key], text)
            elif key.startswith(_PREFIX):
                raise SettingsError(_unknown(key, list(names)))
    values |= {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as fault:
        raise SettingsError(_named(str(fault), values)) from None


def read_env_file(path: Path) -> dict[str, str]:
    """The `NAME=value` lines of a file; empty where there is none. Raises SettingsError for any other line."""
    if not path.is_file():
        return {}
    values: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not written in UTF-8") from None
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if (match := _LINE.match(line)) is None:
            raise SettingsError(f"{path}, line {number}: expected NAME=value")
        values[match[1]] = _unquoted(match[2])
    return values


def _unquoted(text: str) -> str:
    """The value without its quotes and the comment after it; a # counts only after a space."""
    quoted = _QUOTED.match(text)
    return quoted[2] if quoted is not None else _COMMENT.sub("", text)


def _shaped(key: str, name: str, text: str) -> object:
    """The text of a variable in the shape its field has: lists by commas, tables as JSON."""
    match getattr(Settings(), name):
        case tuple():
            return [part.strip() for part in text.split(",") if part.strip()]
        case dict():
            try:
                shaped = json.loads(text or "{}")
                # Escapes can make characters that no back end can be sent.
                msgspec.json.encode(shaped)
            except (ValueError, RecursionError):
                raise SettingsError(f"{key} must be JSON such as {_JSON_EXAMPLES.get(name, _JSON)}") from None
            return shaped
        case _:
            choices = _choices(name)
            if choices and text.lower() not in choices:
                raise SettingsError(f"{key}: takes {', '.join(choices)}, not {text!r}")
            return text.lower() if choices else text


def _is_text(text: str) -> bool:
    # What is no UTF-8 comes from the environment as halves of characters.
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _choices(name: str) -> tuple[str, ...]:
    """The words that a setting takes; () where it takes others than words of a list."""
    hint = get_type_hints(Settings)[name]
    return get_args(hint) if get_origin(hint) is Literal else ()


def _unknown(key: str, known: list[str]) -> str:
    # Slow to load, and for those alone who have to correct something.
    from difflib import get_close_matches  # noqa: PLC0415

    near = get_close_matches(key, known, n=1, cutoff=0.8)
    return f"{key} is no setting" + (f"; did you mean {near[0]}?" if near else "")


def _named(message: str, values: Mapping[str, object]) -> str:
    """Msgspec's message with the variable's name in place of the field's path."""
    if (match := _FIELD.search(message)) is None:
        return message.split(" - at `$`", maxsplit=1)[0]
    name, given = match[1], values.get(match[1])
    if name in _JSON_EXAMPLES:
        return f"{variable(name)}: must be JSON such as {_JSON_EXAMPLES[name]}"
    if message.startswith("Invalid enum value"):
        choices = ", ".join(get_args(get_args(get_type_hints(Settings)[name])[0]))
        return f"{variable(name)}: takes a list of {choices}"
    for kind, words in (("float", "a number"), ("int", "a whole number")):
        if message.startswith(f"Expected `{kind}`"):
            bounds = _bounds(name)
            return f"{variable(name)}: must be {words}{bounds and ' '}{bounds}, not {given!r}"
    return f"{variable(name)}: {message.split(' - at ', maxsplit=1)[0]}"


def _bounds(name: str) -> str:
    """The range of a number, in words."""
    shape = msgspec.json.schema(Settings)["$defs"]["Settings"]["properties"][name]
    named = (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"))
    return " ".join(f"{word} {shape[key]}" for key, word in named if key in shape)
