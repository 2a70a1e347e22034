"""What the benchmark is asked to do, checked before anything is measured."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from bench.servers import Server
from deep_chat_proxy.configuration import SettingsError, load_settings, variable
from deep_chat_proxy.settings import Settings

# A case decides these.
_OURS = frozenset(
    variable(name)
    for name in (
        *("assistant_id", "follow", "host", "loop", "model", "openai_api_key", "openai_base_url", "port"),
        *("upstream", "workers"),
    )
)
_NAMES = frozenset(map(variable, Settings.__struct_fields__))


@dataclass(frozen=True)
class Arguments:
    """`servers`: those that are measured; `settings` of the proxy by their variables; `out` is a folder that is there."""

    quick: bool
    profile: bool
    servers: tuple[Server, ...]
    settings: dict[str, str]
    out: Path


def arguments(given: Sequence[str] | None = None) -> Arguments:
    """Those of the command line; exits with a sentence where they are wrong."""
    parser = _parser()
    options = parser.parse_args(given)
    servers = tuple(options.server or get_args(Server))
    try:
        settings = dict(map(_setting, options.set))
        _check(options, settings, servers)
        out = Path("bench-results") if options.out is None else _folder(options.out)
        out.mkdir(parents=True, exist_ok=True)
    except (SettingsError, OSError) as fault:
        parser.error(str(fault))
    return Arguments(options.quick, options.profile, servers, settings, out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=".dev/bench",
        description="Measures what streams cost the proxy, and beside it, in the same run, an aiohttp handler that"
        " copies bytes (copying), nginx, FastAPI with the official SDK (sdk), and nothing in between (direct), which"
        " says what of a time is the back end's. All of it takes about a quarter of an hour.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="300 streams with a token every 20 ms alone, within a minute"
    )
    parser.add_argument(
        "--profile", action="store_true", help="only show where the proxy's time goes with 300 streams"
    )
    parser.add_argument(
        "--server",
        action="append",
        choices=get_args(Server),
        help="only this one of the servers; may be repeated",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the proxy by its variable, such as DEEP_CHAT_LONGEST_FRAME=0; may be repeated",
    )
    parser.add_argument("--out", help="folder for bench.json and bench.svg (default bench-results)")
    return parser


def _setting(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals:
        raise SettingsError(f"--set takes NAME=VALUE, not {given!r}")
    if name in _OURS:
        raise SettingsError(f"{name} is set by the benchmark itself")
    if name not in _NAMES:
        raise SettingsError(f"{name} is no setting of the proxy; README lists them")
    return name, value


def _check(options: argparse.Namespace, settings: dict[str, str], servers: Sequence[Server]) -> None:
    if settings and "proxy" not in servers:
        raise SettingsError("--set is for the proxy, which is not measured")
    if options.profile and (options.quick or options.server or options.out):
        raise SettingsError("--profile is of the proxy and writes no file; only --set goes with it")
    needed = {"DEEP_CHAT_UPSTREAM": "assistants", "DEEP_CHAT_ASSISTANT_ID": "asst", "OPENAI_API_KEY": "key"}
    load_settings({**needed, "OPENAI_BASE_URL": "http://127.0.0.1:1/v1", **settings})


def _folder(given: str) -> Path:
    if not given:
        raise SettingsError("--out takes the name of a folder")
    return Path(given)
