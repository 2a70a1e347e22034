"""The proxy of faults before servers that matter: a back end that speaks a dialect, and our own."""

import math

import aiohttp
import pytest

from flows.fault_proxy import FaultProxy
from flows.faults import Cut, Events, Fault, Split, on
from flows.server import DIALECTS, back_end, site
from flows.troubled import troubled
from flows.visitor import CSV, Visitor


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("pace", [None, Split(7)])
async def test_a_back_end_behind_it_is_the_same_in_every_dialect(dialect: str, pace: Fault | None) -> None:
    async with back_end() as (base_url, _), FaultProxy.before(base_url) as proxy:
        if pace is not None:
            proxy.fail(pace, times=math.inf)
        async with troubled(proxy, dialect) as visitor:
            weather = await visitor.say("weather in Paris", stream=True)
            file = await visitor.say("and this file?", CSV)
            cut = await visitor.say("error event", stream=True)

    assert "21 °C" in weather.text
    assert file.text == "**cities.csv** (24 bytes) says: “city,celsius Paris,21”\n"
    assert cut.error is not None


async def test_a_page_behind_it_loses_its_connection_and_goes_on() -> None:
    async with site(grace=0) as running, FaultProxy.to(running.port) as proxy:
        plan = proxy.fail(Cut(Events(2)), on("POST", "/api/chat"))
        async with Visitor.at(f"http://127.0.0.1:{proxy.port}") as visitor:
            with pytest.raises(aiohttp.ClientPayloadError):
                await visitor.say("count to 20", stream=True)
            answer = await visitor.say("hello", stream=True)

    assert plan.hits == 1
    assert answer.text.startswith("Hello again!")
