"""The shape of the tree: tests mirror rooms, modules and functions stay small enough to read."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
CHECKOUT = TESTS.parent
SOURCE = CHECKOUT / "server" / "deep_chat_proxy"

# Folders of tests that belong to no room: recorded requests, whole paths, the real page.
BESIDE_ROOMS = {"captures", "flows", "foreign", "page", "bench"}
MODULES = sorted(SOURCE.rglob("*.py"))
TEST_FILES = sorted(TESTS.rglob("*.py"))


def shown(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


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


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_a_module_is_short_enough_to_be_read(path: Path) -> None:
    assert lines(path) <= 400


@pytest.mark.parametrize("path", TEST_FILES, ids=shown)
def test_a_file_of_tests_is_short_enough_to_be_read(path: Path) -> None:
    assert lines(path) < 600


@pytest.mark.parametrize("path", [*MODULES, *TEST_FILES], ids=shown)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    assert [node.name for node in functions if (node.end_lineno or 0) - node.lineno + 1 > 60] == []


@pytest.mark.parametrize("path", [path for path in TEST_FILES if path.name.startswith("test_")], ids=shown)
def test_tests_are_functions_with_names_that_say_what_is_true(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))

    assert not [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test")
    ]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            assert node.name.count("_") >= 3, node.name
