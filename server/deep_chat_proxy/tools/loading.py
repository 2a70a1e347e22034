"""Reads the file of tools that `DEEP_CHAT_TOOLS` names."""

import importlib.machinery
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from deep_chat_proxy.tools.declaration import Tool
from deep_chat_proxy.tools.error import ToolError
from deep_chat_proxy.tools.registry import Registry


def load_tools(path: str | Path) -> list[Tool[..., Any]]:
    """Run a Python file and collect its tools, in the order in which their names were first bound.

    Every `Tool` among the file's own top-level names counts, also one that it imported: so one file can
    gather tools of several modules. A tool inside an imported module does not count.
    Raises ToolError, which names the file and says what to do.
    """
    file = Path(path).expanduser().resolve()
    if not file.is_file():
        raise ToolError(
            f"{file}: there is no such file, or it is a folder. Give the path of a Python file with @tool functions."
        )
    module = _run(file)
    found = [value for value in vars(module).values() if isinstance(value, Tool)]
    try:
        registry = Registry(dict.fromkeys(found))
    except ToolError as fault:
        raise ToolError(f"{file}: {fault}") from fault
    if not len(registry):
        raise ToolError(f"{file}: it has no tools. Write @tool above the functions that the model may call.")
    return list(registry)


def _run(file: Path) -> ModuleType:
    name = f"deep_chat_tools_{file.stem}"
    loader = importlib.machinery.SourceFileLoader(name, str(file))
    module = importlib.util.module_from_spec(importlib.machinery.ModuleSpec(name, loader, origin=str(file)))
    # Dataclasses and structs of the file look their annotations up by the module's name.
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except (Exception, SystemExit) as fault:
        del sys.modules[name]
        raise ToolError(_told(file, fault)) from fault
    return module


def _told(file: Path, fault: BaseException) -> str:
    if isinstance(fault, SyntaxError):
        return f"{fault.filename or file}, line {fault.lineno or 1}: {fault.msg}. Correct the file."
    lines = [
        frame.lineno for frame in traceback.extract_tb(fault.__traceback__) if frame.filename == str(file)
    ]
    where = f"{file}, line {lines[-1]}" if lines else str(file)
    if isinstance(fault, ToolError):
        return f"{where}: {fault}"
    if isinstance(fault, ModuleNotFoundError):
        return f"{where}: {fault}. Install it for this Python, or put its folder on PYTHONPATH."
    return f"{where}: running the file raised {type(fault).__name__}: {fault}. Correct the file."
