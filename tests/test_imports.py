"""Imports point one way: what a room may know of the others."""

import ast
from collections.abc import Iterator
from pathlib import Path

import deep_chat_proxy

ROOT = Path(deep_chat_proxy.__file__).parent
PACKAGE = "deep_chat_proxy"

# Each room, and what of ours it may import beside itself.
MAY = {
    "errors": set[str](),
    "tasks": set[str](),
    "_version": set[str](),
    "logs": set[str](),
    "open_files": set[str](),
    "event_loop": set[str](),
    "turn": {"errors", "tasks"},
    "tools": {"turn", "errors", "tasks"},
    "store": {"turn", "errors", "tasks"},
    "peers": {"turn", "errors", "tasks"},
    "upstream": {"turn", "errors", "tasks"},
    "middleware": {"errors"},
    "browser": {"middleware", "store", "tools", "turn", "upstream", "errors", "tasks"},
    "metrics": {"middleware", "turn"},
    "local_openai": set[str](),
    "settings": {"settings_rules", "turn"},
    "settings_rules": {"settings"},
    "configuration": {"settings"},
}
# These wire the others and may import all of them; only the first three may import `app`.
MAY_WIRE = {"__init__", "cli", "serving", "app", "backend", "check", "workers", "__main__"}
MAY_IMPORT_APP = {"__init__", "cli", "serving"}

MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


def room(module: Path) -> str:
    return module.parts[0].removesuffix(".py")


def imports(module: Path) -> Iterator[str]:
    """Every module that the file imports, wherever in it that stands."""
    for node in ast.walk(ast.parse((ROOT / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}, line {node.lineno}: imports are absolute"
            # `from deep_chat_proxy import x` imports the module x.
            names = [f"{PACKAGE}.{alias.name}" for alias in node.names] if node.module == PACKAGE else []
            yield from names or [node.module or ""]


def rooms_imported(module: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(module) if name.startswith(f"{PACKAGE}.")}


def test_every_room_has_its_rule() -> None:
    assert {room(module) for module in MODULES} == set(MAY) | MAY_WIRE


def test_a_module_imports_only_what_its_room_may_know() -> None:
    ruled = [module for module in MODULES if room(module) not in MAY_WIRE]
    forbidden = {str(module): rooms_imported(module) - MAY[room(module)] - {room(module)} for module in ruled}

    assert {module: rooms for module, rooms in forbidden.items() if rooms} == {}


def test_only_the_process_and_the_package_import_the_app() -> None:
    assert {room(module) for module in MODULES if "app" in rooms_imported(module)} <= MAY_IMPORT_APP


def test_the_core_does_no_input_and_output() -> None:
    outward = {"aiohttp", "aiohttp_sse", "socket", "ssl", "http", "urllib", "sqlite3", "os"}
    core = [module for module in MODULES if room(module) == "turn"]

    assert {name.split(".")[0] for module in core for name in imports(module)} & outward == set()
