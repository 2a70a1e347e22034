"""The event loop under test: asyncio's own, or the one that the environment names (`TEST_LOOP=uvloop .dev/test`)."""

import os
import sys
from typing import Literal

_LOOPS: dict[str, Literal["asyncio", "uvloop"]] = {"asyncio": "asyncio", "uvloop": "uvloop"}
_NAME = os.environ.get("TEST_LOOP", "asyncio")
if _NAME not in _LOOPS:
    sys.exit(f"TEST_LOOP is asyncio or uvloop, not {_NAME!r}")

CHOSEN_LOOP = _LOOPS[_NAME]
