from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from deep_chat_proxy.tools import Registry, ToolExecutor, load_tools
from deep_chat_proxy.tools import weather as example
from deep_chat_proxy.tools.weather import Weather
from deep_chat_proxy.turn.events import ToolCall

Ask = Callable[..., Awaitable[Weather]]


@pytest.fixture
def ask() -> Ask:
    executor = ToolExecutor(Registry(load_tools(Path(example.__file__))))

    async def ask(**arguments: str) -> Weather:
        text = msgspec.json.encode(arguments).decode()
        output = await executor.run(ToolCall("call_1", "get_weather", text))
        assert output.ok, output.output
        return msgspec.json.decode(output.output, type=Weather)

    return ask


async def test_the_weather_of_a_known_city_is_that_of_the_table(ask: Ask):
    assert await ask(location="San Francisco, CA") == Weather("San Francisco, CA", 17, "celsius", "windy")


async def test_the_unit_is_converted(ask: Ask):
    assert await ask(location="paris", unit="fahrenheit") == Weather(
        "paris", 69.8, "fahrenheit", "partly cloudy"
    )


@pytest.mark.parametrize("location", ["Ouagadougou", "ouagadougou, BF", " OUAGADOUGOU "])
async def test_the_weather_of_any_other_place_is_always_the_same(ask: Ask, location: str):
    weather = await ask(location=location)

    assert (weather.temperature, weather.sky) == (15, "rainy")
