import gzip
import json
import re
import shutil
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp import AiohttpClient

from deep_chat_proxy.browser.page import setup_page

Client = TestClient[web.Request, web.Application]

WEB = Path(__file__).parents[2] / "web"
BUNDLE = b"export class DeepChat {}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Our page as a wheel holds it, with a short file in place of Deep Chat."""
    shutil.copytree(WEB, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "deep-chat.js").write_bytes(BUNDLE)
    return tmp_path


@pytest.fixture
async def client(folder: Path, aiohttp_client: AiohttpClient) -> Client:
    return await aiohttp_client(page_app(folder))


def page_app(folder: Path) -> web.Application:
    app = web.Application()
    setup_page(app, folder=folder)
    return app


class Links(HTMLParser):
    """Collects what an HTML document loads."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "use":
            self.found |= {value for name, value in attrs if name in {"href", "src"} and value}


def imported_modules() -> set[str]:
    sources = [module.read_text(encoding="utf-8") for module in WEB.glob("*.js")]
    return {name for source in sources for name in re.findall(r'(?:from|import) "\./([^"]+)"', source)}


def policy(response_headers: str) -> dict[str, str]:
    return dict(directive.strip().split(" ", 1) for directive in response_headers.split(";"))


async def test_the_page_is_html(client: Client):
    answer = await client.get("/")

    assert answer.status == HTTPStatus.OK
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert '<main id="chat"' in await answer.text()


async def test_the_page_allows_code_styles_and_connections_of_its_own_origin_only(client: Client):
    answer = await client.get("/")

    assert policy(answer.headers["Content-Security-Policy"]) == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data: blob:",
        "media-src": "'self' data: blob:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


@pytest.mark.parametrize("path", ["/", "/page/page.js", "/page/vendor/deep-chat.js", "/page/none.js"])
async def test_every_answer_carries_the_security_headers(client: Client, path: str):
    headers = (await client.get(path)).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Permissions-Policy"].startswith("camera=(self), microphone=(self)")
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("page.js", "text/javascript; charset=utf-8"),
        ("vendor/deep-chat.js", "text/javascript; charset=utf-8"),
        ("page.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
async def test_an_asset_has_the_type_that_browsers_insist_on(client: Client, name: str, content_type: str):
    answer = await client.get(f"/page/{name}")

    assert answer.status == HTTPStatus.OK
    assert answer.headers["Content-Type"] == content_type


@pytest.mark.parametrize(
    "name",
    [
        "none.js",
        "index.html",
        "package.json",
        "package-lock.json",
        ".npmrc",
        "vendor/",
        "..%2fpyproject.toml",
        "%2e%2e/%2e%2e/etc/passwd",
        "vendor%2f..%2fpackage.json",
    ],
)
async def test_what_is_no_asset_is_not_found(client: Client, name: str):
    answer = await client.get(f"/page/{name}")

    assert answer.status == HTTPStatus.NOT_FOUND


async def test_a_reload_costs_an_empty_answer(client: Client):
    first = await client.get("/page/page.js")

    again = await client.get("/page/page.js", headers={"If-None-Match": first.headers["ETag"]})

    assert first.headers["Cache-Control"] == "no-cache"
    assert again.status == HTTPStatus.NOT_MODIFIED
    assert again.headers["Content-Security-Policy"] == first.headers["Content-Security-Policy"]
    assert await again.read() == b""


async def test_a_reload_sees_a_changed_file(client: Client, folder: Path):
    first = await client.get("/page/page.js")
    (folder / "page.js").write_text("// the next release\n", encoding="utf-8")

    again = await client.get("/page/page.js", headers={"If-None-Match": first.headers["ETag"]})

    assert again.status == HTTPStatus.OK
    assert await again.text() == "// the next release\n"


async def test_deep_chat_is_sent_compressed_where_the_build_made_it_so(
    folder: Path, aiohttp_client: AiohttpClient
):
    packed = gzip.compress(BUNDLE, mtime=0)
    (folder / "vendor" / "deep-chat.js.gz").write_bytes(packed)
    client = await aiohttp_client(page_app(folder), auto_decompress=False)

    answer = await client.get("/page/vendor/deep-chat.js", headers={"Accept-Encoding": "gzip"})

    assert await answer.read() == packed
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Vary"] == "Accept-Encoding"


async def test_without_deep_chat_the_page_says_what_to_run(folder: Path, aiohttp_client: AiohttpClient):
    (folder / "vendor" / "deep-chat.js").unlink()
    client = await aiohttp_client(page_app(folder))

    answer = await client.get("/")

    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "npm ci" in await answer.text()
    assert str(folder) not in await answer.text()


async def test_without_any_page_the_answer_is_the_same(tmp_path: Path, aiohttp_client: AiohttpClient):
    client = await aiohttp_client(page_app(tmp_path / "nowhere"))

    answer = await client.get("/")

    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert "npm ci" in await answer.text()


async def test_a_checkout_serves_deep_chat_from_where_npm_puts_it(
    folder: Path, aiohttp_client: AiohttpClient
):
    installed = folder / "node_modules" / "deep-chat" / "dist"
    installed.mkdir(parents=True)
    (folder / "vendor" / "deep-chat.js").rename(installed / "deepChat.bundle.js")
    client = await aiohttp_client(page_app(folder))

    page, bundle = await client.get("/"), await client.get("/page/vendor/deep-chat.js")

    assert page.status == HTTPStatus.OK
    assert await bundle.read() == BUNDLE


@pytest.mark.parametrize("prefix", ["", "/some/where"])
async def test_all_that_the_page_and_its_modules_load_is_served(
    folder: Path, aiohttp_client: AiohttpClient, prefix: str
):
    app = page_app(folder)
    if prefix:
        outer = web.Application()
        outer.add_subapp(prefix, app)
        app = outer
    client = await aiohttp_client(app)
    document = await (await client.get(f"{prefix}/")).text()

    wanted = {f"{prefix}/{link}" for link in Links(document).found}
    wanted |= {f"{prefix}/page/{name}" for name in imported_modules()}

    assert f"{prefix}/page/vendor/deep-chat.js" in wanted
    assert {path: (await client.get(path)).status for path in wanted} == dict.fromkeys(wanted, HTTPStatus.OK)


@pytest.mark.parametrize(
    "file", sorted(path.name for path in WEB.glob("*.*") if path.suffix not in {".json", ".png"})
)
def test_no_file_of_the_page_names_another_origin(file: str):
    source = (WEB / file).read_text(encoding="utf-8")

    named = set(re.findall(r"""["'(](?:https?:)?//[^"')\s]*""", source))

    assert named <= {'"http://www.w3.org/2000/svg'}


def test_every_npm_package_is_locked_by_its_hash_and_to_no_registry():
    lock = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))

    packages = {name: package for name, package in lock["packages"].items() if name}

    assert "node_modules/deep-chat" in packages
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not [name for name, package in packages.items() if "resolved" in package]
