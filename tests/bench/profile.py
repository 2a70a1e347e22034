"""Where the proxy's time goes: a profile of `profiled`, by what is done with a token on its way."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bench.profiled import THREADS
from bench.report import table

# The first that fits the innermost frame that any fits; files as they are named within their packages.
PARTS = {
    "text safety": r"deep_chat_proxy/turn/(answer/|text\.py|sources\.py)|browser/addresses\.py",
    "frames": r"deep_chat_proxy/browser/(frames|pace)\.py",
    "write": (
        r"deep_chat_proxy/browser/stream\.py|aiohttp_sse/|aiohttp/(http_writer|web_response|base_protocol)\.py"
        r"|selector_events\.py write"
    ),
    "network read": (
        r"aiohttp/(client_proto|streams)\.py|deep_chat_proxy/upstream/client\.py ApiClient\.(chunks|events)"
        r"|selector_events\.py _read"
    ),
    "decode": r"deep_chat_proxy/upstream/(sse|surrogates)\.py|deep_chat_proxy/upstream/client\.py (_read|decoded)",
    "request to the back end": r"aiohttp/(client|connector|client_reqrep)\.py|stamina/|deep_chat_proxy/upstream/client\.py",
    "translate": r"deep_chat_proxy/upstream/",
    "store": r"deep_chat_proxy/store/",
    "turn and its log": r"deep_chat_proxy/turn/",
    "tools": r"deep_chat_proxy/tools/",
    "request of the visitor": r"deep_chat_proxy/(browser|middleware)/|aiohttp/web_(?!runner)",
}
# What stands around everything: nothing further out says what a stack is at work on.
_OUTERMOST = re.compile(r" (Handle\._run|BaseEventLoop\._run_once|run_app|Runner\.run)$")
_PATTERNS = {part: re.compile(pattern) for part, pattern in PARTS.items()}
# Innermost functions that are shown.
_SHOWN = 15


def part_of(stack: Iterable[tuple[str, str]]) -> str:
    """What a stack is at work on."""
    for file, function in stack:
        if file == THREADS:
            return "store"
        frame = f"{file} {_short(function)}"
        if _OUTERMOST.search(frame):
            break
        for part, pattern in _PATTERNS.items():
            if pattern.search(frame):
                return part
    return "loop"


def _short(function: str) -> str:
    return function.replace("_SelectorSocketTransport.", "").replace("<locals>.", "")


def profile(file: Path) -> str:
    """Two tables of a profile: its parts, and the functions in which most of the time is spent."""
    stacks = [(each["stack"], each["seen"]) for each in json.loads(file.read_text(encoding="utf-8"))]
    parts: Counter[str] = Counter()
    functions: Counter[tuple[str, str]] = Counter()
    for stack, seen in stacks:
        parts[part_of(stack)] += seen
        where, function = stack[0]
        functions[f"{function} ({'/'.join(Path(where).parts[-2:])})", part_of(stack)] += seen
    whole = parts.total() or 1

    def share(seen: int) -> str:
        return f"{100 * seen / whole:.1f} %"

    by_part = [[part, share(seen)] for part, seen in parts.most_common()]
    by_function = [[function, part, share(seen)] for (function, part), seen in functions.most_common(_SHOWN)]
    return "\n\n".join(
        [
            table(["where the proxy's CPU time goes", "share"], by_part),
            table(["innermost function", "part", "share"], by_function),
        ]
    )
