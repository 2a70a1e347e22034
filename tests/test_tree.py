"""The shape of the tree: tests mirror rooms, modules and functions stay small enough to read."""

import ast
from pathlib import Path

TESTS = Path(__file__).parent
CHECKOUT = TESTS.parent
SOURCE = CHECKOUT / "server" / "deep_chat_proxy"

# Folders of tests that belong to no room: recorded requests, whole paths, the real page.
BESIDE_ROOMS = {"captures", "flows", "foreign", "page", "bench"}
MODULES = sorted(SOURCE.rglob("*.py"))
TEST_FILES = sorted(TESTS.rglob("*.py"))


def shown(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_every_folder_of_tests_mirrors_a_room() -> None:
    rooms = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    folders = {
        path.name for path in TESTS.iterdir() if path.is_dir() and not path.name.startswith(("_", "."))
    }

    assert folders <= rooms | BESIDE_ROOMS


def test_every_room_has_tests() -> None:
    rooms = {path.parent.name for path in SOURCE.glob("*/__init__.py")}

    assert {room for room in rooms if not list((TESTS / room).rglob("test_*.py"))} == set()


def test_a_module_is_short_enough_to_be_read() -> None:
    assert [shown(path) for path in MODULES if lines(path) > 400] == []


def test_a_file_of_tests_is_short_enough_to_be_read() -> None:
    assert [shown(path) for path in TEST_FILES if lines(path) >= 600] == []


def test_a_function_fits_on_a_screen() -> None:
    functions = [
        (path, node)
        for path in [*MODULES, *TEST_FILES]
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    assert [
        f"{shown(path)}: {node.name}"
        for path, node in functions
        if (node.end_lineno or 0) - node.lineno + 1 > 60
    ] == []


def test_tests_are_functions_with_names_that_say_what_is_true() -> None:
    def says_little(node: ast.stmt) -> bool:
        match node:
            case ast.ClassDef(name):
                return name.startswith("Test")
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
                return name.startswith("test_") and name.count("_") < 3
            case _:
                return False

    files = [path for path in TEST_FILES if path.name.startswith("test_")]
    assert [
        f"{shown(path)}, line {node.lineno}"
        for path in files
        for node in parsed(path).body
        if says_little(node)
    ] == []
