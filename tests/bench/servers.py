"""What is measured: the proxy in its real form, and beside it what people use instead."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from bench.answers import Dialect
from bench.load import Kind
from bench.loops import Loop, fastest
from bench.processes import EVERY, SERVER, SERVING, environment, free_port, python, running
from deep_chat_proxy.settings import Settings

Server = Literal["direct", "proxy", "copying", "nginx", "sdk"]
Form = Literal["stream", "object"]


@dataclass(frozen=True)
class Serving:
    """A server that runs: where, as which process (None: there is nothing between), and how it is asked."""

    port: int
    pid: int | None
    request: str
    kind: Kind


@dataclass(frozen=True)
class Setup:
    """How a server is run. `workers` and `polled` are for the proxy, which is also told to follow an answer by asking for
    it, has more `settings` by their variables, and writes a `profile` to that file; `folder` is where all may write.
    """

    server: Server
    dialect: Dialect
    folder: Path
    form: Form = "stream"
    loop: Loop = "asyncio"
    workers: int = 1
    polled: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    profile: Path | None = None

    @property
    def cores(self) -> list[int]:
        """Where the server runs."""
        return SERVING if self.workers == 1 else EVERY


def missing(server: Server) -> str | None:
    """Why a server cannot be measured here; None where it can."""
    if server == "nginx" and _nginx_command() is None:
        return "nginx is not installed"
    if server == "sdk" and not all(map(find_spec, ("fastapi", "uvicorn", "openai"))):
        return "fastapi, uvicorn or openai is not installed"
    return None


def _nginx_command() -> str | None:
    # Debian has it where only root looks.
    return shutil.which("nginx", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")))


@contextmanager
def serving(setup: Setup, back_end: int) -> Iterator[Serving]:
    """Run a server in front of the back end on that port."""
    with _RUN[setup.server](setup, back_end) as server:
        yield server


@contextmanager
def _direct(setup: Setup, back_end: int) -> Iterator[Serving]:
    yield Serving(back_end, None, _back_end_request(setup.dialect, back_end), setup.dialect)


@contextmanager
def _proxy(setup: Setup, back_end: int) -> Iterator[Serving]:
    port = free_port()
    env = {
        "DEEP_CHAT_UPSTREAM": setup.dialect,
        "OPENAI_BASE_URL": f"http://127.0.0.1:{back_end}/v1",
        "OPENAI_API_KEY": "bench",
        "DEEP_CHAT_STORE": f"sqlite:{setup.folder}/store.sqlite3",
        "DEEP_CHAT_TOOLS": f"{SERVER}/deep_chat_proxy/tools/weather.py",
        # Those who come at once are more than the default, where there are 2,000.
        "DEEP_CHAT_MAX_TURNS": "4000",
        **({"DEEP_CHAT_ASSISTANT_ID": "asst_bench"} if setup.dialect == "assistants" else {}),
        **({} if setup.dialect == "assistants" else {"DEEP_CHAT_MODEL": "bench-1"}),
        **({"DEEP_CHAT_FOLLOW": "poll"} if setup.polled else {}),
        **known_settings(loop=setup.loop, metrics="on"),
        **setup.settings,
    }
    if setup.profile is None:
        command = python("deep_chat_proxy")
    else:
        command = python("bench.profiled", str(setup.profile))
    command += ["--port", str(port)]
    if setup.workers > 1:
        command += ["--workers", str(setup.workers)]
    request = _chat_request(port, setup.form)
    kind: Kind = "frames" if setup.form == "stream" else "object"
    log = setup.folder / "proxy.log"
    with running(command, cores=setup.cores, log=log, port=port, env=env) as pid:
        yield Serving(port, pid, request, kind)


def proxy_loop() -> Loop:
    """The loop that the proxy runs on where nobody chooses another."""
    return fastest() if "loop" in Settings.__struct_fields__ else "asyncio"


def has_workers() -> bool:
    """Whether the proxy runs as several processes where it is told to."""
    said = subprocess.run(  # noqa: S603 - ours
        python("deep_chat_proxy", "--help"), env=environment(), capture_output=True, text=True, check=True
    )
    return "--workers" in said.stdout


def known_settings(**wanted: str) -> dict[str, str]:
    """Those of the settings that the proxy has, as environment variables."""
    known = set(Settings.__struct_fields__)
    return {f"DEEP_CHAT_{name.upper()}": value for name, value in wanted.items() if name in known}


@contextmanager
def _copying(setup: Setup, back_end: int) -> Iterator[Serving]:
    port = free_port()
    command = python("bench.copying", json.dumps({"port": port, "back_end": back_end, "loop": setup.loop}))
    with running(command, cores=setup.cores, log=setup.folder / "copying.log", port=port) as pid:
        yield Serving(port, pid, _back_end_request(setup.dialect, port), setup.dialect)


@contextmanager
def _nginx(setup: Setup, back_end: int) -> Iterator[Serving]:
    port = free_port()
    conf = setup.folder / "nginx.conf"
    conf.write_text(_NGINX.format(folder=setup.folder, port=port, back_end=back_end))
    command = [_nginx_command() or "nginx", "-c", str(conf), "-p", str(setup.folder)]
    command += ["-e", str(setup.folder / "nginx-errors.log")]
    with running(command, cores=setup.cores, log=setup.folder / "nginx.log", port=port) as pid:
        yield Serving(port, pid, _back_end_request(setup.dialect, port), setup.dialect)


_NGINX = """
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid {folder}/nginx.pid;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {folder}/nginx-bodies;
  proxy_temp_path {folder}/nginx-proxied;
  fastcgi_temp_path {folder}/nginx-fastcgi;
  uwsgi_temp_path {folder}/nginx-uwsgi;
  scgi_temp_path {folder}/nginx-scgi;
  upstream back_end {{ server 127.0.0.1:{back_end}; keepalive 2048; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://back_end;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer bench";
      proxy_buffering off;
      proxy_read_timeout 300s;
    }}
  }}
}}
"""


@contextmanager
def _sdk(setup: Setup, back_end: int) -> Iterator[Serving]:
    port = free_port()
    arguments = {"port": port, "back_end": back_end, "dialect": setup.dialect}
    command = python("bench.with_sdk", json.dumps(arguments))
    request = _chat_request(port, setup.form)
    kind: Kind = "frames" if setup.form == "stream" else "object"
    with running(command, cores=setup.cores, log=setup.folder / "sdk.log", port=port) as pid:
        yield Serving(port, pid, request, kind)


_RUN: dict[Server, Callable[[Setup, int], AbstractContextManager[Serving]]] = {
    "direct": _direct,
    "proxy": _proxy,
    "copying": _copying,
    "nginx": _nginx,
    "sdk": _sdk,
}


_SAID = "Hello, what is a proxy? Please tell me in a few sentences."
_BODIES: dict[Dialect, tuple[str, dict[str, object]]] = {
    "assistants": (
        "/v1/threads/runs",
        {"assistant_id": "asst_bench", "thread": {"messages": [{"role": "user", "content": _SAID}]}},
    ),
    "responses": ("/v1/responses", {"model": "bench-1", "input": _SAID}),
    "chat": (
        "/v1/chat/completions",
        {"model": "bench-1", "messages": [{"role": "user", "content": _SAID}]},
    ),
}


def _back_end_request(dialect: Dialect, port: int) -> str:
    path, body = _BODIES[dialect]
    headers = {"Accept": "text/event-stream", "OpenAI-Beta": "assistants=v2"}
    return _post(port, path, {**body, "stream": True}, headers)


def _chat_request(port: int, form: Form) -> str:
    """What Deep Chat sends on a page of the same origin, of a visitor who has not been there before."""
    accept = "text/event-stream" if form == "stream" else "application/json"
    headers = {
        "Accept": accept,
        "Origin": f"http://127.0.0.1:{port}",
        "Sec-Fetch-Site": "same-origin",
        "Accept-Encoding": "gzip, deflate, br, zstd",
    }
    return _post(port, "/api/chat", {"messages": [{"role": "user", "text": _SAID}]}, headers)


def _post(port: int, path: str, body: object, headers: dict[str, str]) -> str:
    text = json.dumps(body, separators=(",", ":"))
    lines = {
        "Host": f"127.0.0.1:{port}",
        "Content-Type": "application/json",
        "Content-Length": str(len(text)),
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36",
        **headers,
    }
    return f"POST {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n" + text
