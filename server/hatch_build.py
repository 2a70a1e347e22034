"""Puts the page into the wheel: `web/` and, from npm, the one file of Deep Chat that it loads.

A wheel holds both under `deep_chat_proxy/_web/`. An editable install serves `web/` of the checkout, so there
only Deep Chat has to be fetched. Without npm the build goes on: the server then says what is missing.
"""

import gzip
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_PAGE = "deep_chat_proxy/_web"
_BUNDLE = "node_modules/deep-chat/dist/deepChat.bundle.js"
_PAGE_SUFFIXES = {".css", ".html", ".js", ".svg"}


class PageBuildHook(BuildHookInterface[Any]):
    """The custom build hook named in pyproject.toml; hatchling finds it by its base class."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fetch Deep Chat where it is missing and add the page to a wheel's files.

        `version` is "standard" or "editable"; `build_data` is hatchling's, changed in place. A source
        distribution takes neither: the wheel built from it comes through here again.
        """
        if self.target_name != "wheel":
            return
        web = Path(self.root, "web")
        if not (web / _BUNDLE).is_file():
            self._fetch(web)
        if (web / _BUNDLE).is_file():
            _compress(web / _BUNDLE)
        if version != "editable":
            build_data["force_include"] |= _page_files(web) | _vendored_files(web)

    def _fetch(self, web: Path) -> None:
        npm = shutil.which("npm")
        if npm is None:
            self._warn("npm was not found")
            return
        command = [npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
        outcome = subprocess.run(command, cwd=web, capture_output=True, text=True, check=False)  # noqa: S603  # our own words only
        if outcome.returncode != 0:
            self._warn(f"npm ci failed:\n{outcome.stderr.strip()}")

    def _warn(self, reason: str) -> None:
        self.app.display_warning(
            f"Building without Deep Chat, as {reason}\n"
            "The server will run, but in place of its page it will say what is missing. "
            "To have the page, run `npm ci` in web/ and build again."
        )


def _compressed(file: Path) -> Path:
    return file.with_name(f"{file.name}.gz")


def _compress(file: Path) -> None:
    """Beside a file, its compressed form, which aiohttp sends to browsers that take it: a quarter of the size."""
    _compressed(file).write_bytes(gzip.compress(file.read_bytes(), mtime=0))


def _page_files(web: Path) -> dict[str, str]:
    return {str(file): f"{_PAGE}/{file.name}" for file in web.iterdir() if file.suffix in _PAGE_SUFFIXES}


def _vendored_files(web: Path) -> dict[str, str]:
    """The bundle, and the licences of everything in it, whose terms ask for their text to go along."""
    bundle = web / _BUNDLE
    if not bundle.is_file():
        return {}
    licences = {
        str(file): f"{_PAGE}/vendor/licences/{file.parent.name}.txt"
        for pattern in ("*/LICENSE*", "@*/*/LICENSE*")
        for file in (web / "node_modules").glob(pattern)
    }
    bundled = f"{_PAGE}/vendor/deep-chat.js"
    return licences | {str(bundle): bundled, str(_compressed(bundle)): f"{bundled}.gz"}
