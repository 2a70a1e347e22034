"""Deep Chat proxy: the server between a Deep Chat page and an OpenAI-style back end.

The way of a message:

    browser/request   what Deep Chat sent: text, files, which thread
    middleware/       who sent it (session), from where (hosts, origin), and errors as answers
    browser/files_in  what files came with it, and whether they are taken
    browser/chat      a message becomes a turn on one of the visitor's threads (ownership)
    turn/             the turn runs on its own: loop (tools ↺), live, log; events are the vocabulary, and answer/ makes
                      of the model's words what a visitor reads
    upstream/         a dialect posts the message to the back end and follows the answer: responses/,
                      chat_completions/ or assistants/
    tools/            function calls of the model
    browser/stream    the turn's events as server-sent events, or
    browser/reply     the whole answer as one JSON object
    browser/resume    the same once more, for a page that comes back
    browser/history   what was said before; browser/threads, the list of it; browser/files_out, its files

Beside them: workers/ (several processes at one address) and peers/ (what processes with one store ask of each other),
store/ (threads, what was said on them, turns that a crash must not lose, files, and what is to be deleted elsewhere),
settings and configuration, cli, check/ (what a back end can do), and local_openai/, a back end of our own to try all of
it with no key and no network. `app.create_app` wires them, `backend` chooses the dialect.
"""

from typing import TYPE_CHECKING, Any

from deep_chat_proxy._version import __version__

if TYPE_CHECKING:
    from deep_chat_proxy.app import create_app
    from deep_chat_proxy.settings import Settings
    from deep_chat_proxy.tools import tool

__all__ = ["Settings", "__version__", "create_app", "tool"]

_HOMES = {
    "Settings": "deep_chat_proxy.settings",
    "create_app": "deep_chat_proxy.app",
    "tool": "deep_chat_proxy.tools",
}


def __getattr__(name: str) -> Any:
    # Imported when asked for: a file of tools needs no web server, `--help` needs neither.
    if name in _HOMES:
        from importlib import import_module  # noqa: PLC0415

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
