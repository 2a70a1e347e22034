"""The command `deep-chat-proxy`: serve (without a sub-command), check, local-openai, tools."""

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deep_chat_proxy._version import __version__

if TYPE_CHECKING:
    from deep_chat_proxy.settings import Settings

# Everything else is imported by the sub-command that needs it, so that `--help` answers at once.


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status (2: wrong flags or settings)."""
    options = _parser().parse_args(arguments)
    run = {"check": _check, "local-openai": _local_openai, "tools": _tools}.get(options.command, _serve)
    if run is not _serve and options.workers is not None:
        print(f"deep-chat-proxy: {options.command} is one process and takes no --workers", file=sys.stderr)
        return 2
    return _outcome(lambda: run(options))


def _outcome(work: Callable[[], int | None]) -> int:
    """The exit status of `work`, of whose faults one line tells."""
    from deep_chat_proxy.configuration import SettingsError
    from deep_chat_proxy.tools.error import ToolError

    try:
        return work() or 0
    except (SettingsError, ToolError) as fault:
        print(f"deep-chat-proxy: {fault}", file=sys.stderr)
        return 2
    except OSError as fault:
        hint = "; choose another with --port" if fault.errno == errno.EADDRINUSE else ""
        print(f"deep-chat-proxy: {fault}{hint}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deep-chat-proxy",
        description="The server between a Deep Chat page and an OpenAI-style back end. Without a key it runs on"
        " its own local OpenAI. Settings come from flags, the environment and a .env file; README lists them.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on, 0 for a free one (default 8080)")
    parser.add_argument("--workers", type=int, help="processes that serve (default 1)")
    parser.add_argument(
        "--env-file", type=Path, help="file of NAME=value lines (default .env, where there is one)"
    )
    commands = parser.add_subparsers(dest="command", metavar="command")
    local = commands.add_parser("local-openai", help="serve the local OpenAI alone")
    # Before the sub-command or behind it: what stands there last counts.
    local.add_argument("--host", default=argparse.SUPPRESS, help="address to listen on (default 127.0.0.1)")
    local.add_argument("--port", type=int, default=argparse.SUPPRESS, help="port to listen on (default 8081)")
    check = commands.add_parser(
        "check", help="ask the back end what it can do, and say which setting changes it"
    )
    check.add_argument("--send", action="store_true", help="send it one message too, which may be billed")
    commands.add_parser("tools", help="list the tools that the model may call, with their schemas")
    return parser


def _settings(options: argparse.Namespace, **more: str) -> "Settings":
    from deep_chat_proxy.configuration import SettingsError, load_settings

    if options.env_file is not None and not options.env_file.is_file():
        raise SettingsError(f"{options.env_file}: there is no such file")
    flags = {"host": options.host, "port": options.port, "workers": options.workers, **more}
    return load_settings(os.environ, flags, options.env_file or Path(".env"))


def _serve(options: argparse.Namespace) -> int:
    settings = _settings(options)
    if settings.workers > 1:
        from deep_chat_proxy.workers.supervisor import serve_with_workers

        return serve_with_workers(settings, _outcome)
    from deep_chat_proxy.serving import serve

    serve(settings)
    return 0


def _local_openai(options: argparse.Namespace) -> int:
    from deep_chat_proxy.event_loop import run
    from deep_chat_proxy.local_openai import run_local_openai
    from deep_chat_proxy.logs import setup_logs

    setup_logs("info")
    run(run_local_openai(options.host or "127.0.0.1", 8081 if options.port is None else options.port), "auto")
    return 0


def _check(options: argparse.Namespace) -> int:
    from deep_chat_proxy.app import registry_of
    from deep_chat_proxy.check import NO_MODEL, check
    from deep_chat_proxy.configuration import SettingsError
    from deep_chat_proxy.event_loop import run
    from deep_chat_proxy.logs import setup_logs

    try:
        settings = _settings(options)
    except SettingsError as fault:
        # Which models there are is one of the things that are asked.
        if "DEEP_CHAT_MODEL is missing" not in str(fault):
            raise
        settings = _settings(options, model=NO_MODEL)
    setup_logs("error" if settings.log_level != "debug" else "debug")
    good = run(check(settings, registry_of(settings), send=options.send), settings.loop)
    return 0 if good else 1


def _tools(options: argparse.Namespace) -> int:
    settings = _settings(options)
    from deep_chat_proxy.app import registry_of
    from deep_chat_proxy.tools.listing import describe

    print(describe(registry_of(settings)))
    return 0
