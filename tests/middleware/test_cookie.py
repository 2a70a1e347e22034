"""The session cookie as browsers see it: for whom it is, what it is called, which of several counts."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from chat_server import chat_server, said
from deep_chat_proxy.middleware.cookie import NAME, SECURE_NAME, CookieRules
from deep_chat_proxy.middleware.sealing import Sealer, SessionData
from deep_chat_proxy.middleware.session import SESSION
from deep_chat_proxy.turn.events import Accepted, Completed, TextDelta
from middleware.cookies import SetCookie, cookie_in
from playing import Step

ANSWER: list[Step] = [[Accepted(), TextDelta("Hi"), Completed()]]
DAY = 24 * 3600
KEY = "key-key-key-key-key"
TLS = {"X-Forwarded-Proto": "https"}


async def first_cookie(headers: dict[str, str] | None = None, **settings: Any) -> SetCookie:
    """The cookie that the answer to a first message sets."""
    async with chat_server(ANSWER, **settings) as server:
        client = await server.visitor()
        async with client.post("/api/chat", json=said(), headers=headers) as response:
            cookie = cookie_in(response.headers)
    assert cookie is not None
    return cookie


async def test_scripts_and_other_sites_do_not_get_the_cookie() -> None:
    cookie = await first_cookie()

    assert cookie.attributes == {
        "httponly": "",
        "samesite": "Lax",
        "path": "/",
        "max-age": str(30 * DAY),
    }


@pytest.mark.parametrize(
    ("rule", "headers", "secure"),
    [
        ("auto", {}, False),
        ("auto", {"X-Forwarded-Proto": "https"}, True),
        ("auto", {"X-Forwarded-Proto": "https, http"}, True),
        ("auto", {"X-Forwarded-Proto": "http, https"}, False),
        ("always", {}, True),
        ("never", {"X-Forwarded-Proto": "https"}, False),
    ],
)
async def test_the_cookie_is_for_tls_and_this_host_alone_where_the_visitor_came_over_tls(
    rule: str, headers: dict[str, str], secure: bool
) -> None:
    cookie = await first_cookie(headers, secure_cookie=rule)

    assert cookie.name == (SECURE_NAME if secure else NAME)
    assert ("secure" in cookie.attributes) is secure
    # A browser takes a `__Host-` cookie only so.
    assert cookie.attributes["path"] == "/"
    assert "domain" not in cookie.attributes


@pytest.mark.parametrize("same_site", ["lax", "strict", "none"])
async def test_the_cookie_says_to_which_sites_it_goes(same_site: str) -> None:
    cookie = await first_cookie(same_site=same_site)

    assert cookie.attributes["samesite"] == same_site.capitalize()
    # One for all sites is for TLS, or browsers would drop it; on this machine they need none for that.
    assert ("secure" in cookie.attributes) is (same_site == "none")


async def test_a_cookie_can_be_kept_apart_for_each_site_that_embeds_the_chat() -> None:
    apart = await first_cookie(TLS, same_site="none", partitioned_cookie="yes")
    shared = await first_cookie(TLS, same_site="none")

    assert apart.attributes == shared.attributes | {"partitioned": ""}


def add_whoami(app: web.Application) -> None:
    async def whoami(request: web.Request) -> web.Response:
        return web.Response(text=request[SESSION].visitor)

    app.router.add_get("/whoami", whoami)


def sealed(visitor: str) -> str:
    return Sealer([KEY], DAY).seal(SessionData(visitor))


async def visitor_of(cookies: str, headers: dict[str, str] | None = None) -> str:
    """Whom the server takes whoever sends these cookies for."""
    async with chat_server(prepare=add_whoami, secret=KEY) as server:
        client = await server.visitor(cookies=False)
        async with client.get("/whoami", headers={"Cookie": cookies, **(headers or {})}) as response:
            assert response.status == 200
            return await response.text()


async def test_over_tls_only_the_cookie_counts_that_no_neighbour_can_set() -> None:
    both = f"{NAME}={sealed('tossed')}; {SECURE_NAME}={sealed('own')}"

    assert await visitor_of(both, TLS) == "own"
    assert await visitor_of(both) == "tossed"
    assert await visitor_of(f"{NAME}={sealed('tossed')}", TLS) != "tossed"


async def test_of_several_cookies_of_the_name_the_first_counts_that_is_ours() -> None:
    theirs = f"{NAME}=rubbish; {NAME}={Sealer(['another-key-another-key'], DAY).seal(SessionData('other'))}"
    cookies = f"a=b; {theirs}; {NAME}={sealed('first')}; {NAME}={sealed('second')}"

    assert await visitor_of(cookies) == "first"


async def test_a_cookie_in_quotes_counts_as_earlier_versions_wrote_it_so() -> None:
    assert await visitor_of(f'{NAME}="{sealed("own")}"') == "own"


@given(st.lists(st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"))))
def test_any_header_of_cookies_can_be_read(headers: list[str]) -> None:
    rules = CookieRules(DAY)
    request = make_mocked_request("GET", "/", [("Cookie", header) for header in headers])

    assert all(";" not in token for token in rules.tokens(request))


@given(st.lists(st.text("abc_-=", max_size=9), max_size=5))
def test_every_value_of_the_name_is_read_in_its_order(values: list[str]) -> None:
    header = "; ".join(f"other=x; {NAME}={value}" for value in values)

    assert list(CookieRules(DAY).tokens(make_mocked_request("GET", "/", {"Cookie": header}))) == values
