"""README's tables are made from settings.py and errors.py: `python tests/test_readme.py` writes them anew."""

import ast
import re
from itertools import pairwise
from pathlib import Path

import msgspec

from deep_chat_proxy import errors
from deep_chat_proxy import settings as module
from deep_chat_proxy.configuration import variable
from deep_chat_proxy.errors import Problem
from deep_chat_proxy.settings import Settings

README = Path(__file__).parents[1] / "README.md"
_BLOCK = re.compile(r"(<!-- (settings|problems): .*? -->\n).*?(<!-- /\2 -->)", re.DOTALL)


def settings_table() -> str:
    """One row a setting: variable, default, range, meaning."""
    rows = ["| variable | default | takes | |", "| --- | --- | --- | --- |"]
    meanings = _meanings()
    defaults = Settings()
    schema = msgspec.json.schema(Settings)["$defs"]["Settings"]["properties"]
    for name in Settings.__struct_fields__:
        shape = schema[name]
        default = getattr(defaults, name)
        shown = ",".join(default) if isinstance(default, tuple) else "" if default == {} else str(default)
        cells = [f"`{variable(name)}`", f"`{shown}`" if shown else "", _takes(shape), meanings[name]]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def problems_table() -> str:
    """One row a way in which it can go wrong, in the order of errors.py."""
    rows = ["| problem | status | what a visitor reads | may work later |", "| --- | --- | --- | --- |"]
    rows += [
        f"| `{problem.code}` | {problem.status} | {problem.sentence} | {'yes' if problem.retry else ''} |"
        for problem in vars(errors).values()
        if isinstance(problem, Problem)
    ]
    return "\n".join(rows) + "\n"


def _takes(shape: dict[str, object]) -> str:
    if isinstance(choices := shape.get("enum"), list):
        return ", ".join(f"`{choice}`" for choice in choices)
    kind = {"integer": "whole number", "number": "number", "object": "JSON", "array": "list"}.get(
        str(shape["type"]), "text"
    )
    low, above, high = shape.get("minimum"), shape.get("exclusiveMinimum"), shape.get("maximum")
    bounds = [f"from {low}"] * (low is not None) + [f"above {above}"] * (above is not None)
    return " ".join([kind, *bounds, *[f"to {high}"] * (high is not None)])


def _meanings() -> dict[str, str]:
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    (body,) = [node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Settings"]
    found = {}
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            assert isinstance(text, ast.Expr)
            assert isinstance(text.value, ast.Constant)
            found[field.target.id] = re.sub(r"\s+", " ", str(text.value.value))
    return found


def _with_tables(readme: str) -> str:
    tables = {"settings": settings_table(), "problems": problems_table()}
    return _BLOCK.sub(lambda match: f"{match[1]}\n{tables[match[2]]}\n{match[3]}", readme)


def test_the_readme_lists_every_setting_and_every_problem_as_it_is() -> None:
    readme = README.read_text(encoding="utf-8")

    assert readme == _with_tables(readme)
    assert {kind for _, kind, _ in _BLOCK.findall(readme)} == {"settings", "problems"}


def test_every_path_that_the_readme_names_is_there() -> None:
    readme = README.read_text(encoding="utf-8")
    named = re.findall(r"\]\(([^)#:]+)\)", readme) + re.findall(r"^(\.(?:dev|ci)/\w+)$", readme, re.MULTILINE)

    assert [path for path in named if not (README.parent / path).exists()] == []


if __name__ == "__main__":
    README.write_text(_with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
