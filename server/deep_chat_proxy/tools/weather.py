"""An example of a file of tools, to copy: `DEEP_CHAT_TOOLS=weather.py` lets the model ask for the weather.

It needs no network and always says the same of a place, so a chat can be tried and tested with it: a few
cities stand in a table, and for all others the weather is computed from the name (what stands before the
first comma, in any case). A real tool would call a weather service in the body of `get_weather`, with an
`aiohttp.ClientSession` and a timeout shorter than the tool's, and return what it answers.
"""

from hashlib import sha256
from typing import Annotated, Literal

from msgspec import Meta, Struct

from deep_chat_proxy.tools import tool

Unit = Literal["celsius", "fahrenheit"]

SKIES = ("sunny", "partly cloudy", "cloudy", "rainy", "windy")
KNOWN = {
    "berlin": (18, "cloudy"),
    "london": (16, "rainy"),
    "new york": (22, "sunny"),
    "paris": (21, "partly cloudy"),
    "san francisco": (17, "windy"),
    "tokyo": (25, "sunny"),
}


class Weather(Struct, frozen=True):
    """What the model gets, as JSON."""

    location: str
    temperature: float
    unit: Unit
    sky: str


@tool(label="Looking up the weather…", timeout=10, repeatable=True)
async def get_weather(
    location: Annotated[str, Meta(description="City, such as Berlin or San Francisco, CA", min_length=1)],
    unit: Annotated[Unit, Meta(description="Unit of the temperature")] = "celsius",
) -> Weather:
    """Get the weather in a place."""
    city = location.partition(",")[0].strip().casefold()
    celsius, sky = KNOWN.get(city) or _made_up(city)
    temperature = celsius if unit == "celsius" else round(celsius * 9 / 5 + 32, 1)
    return Weather(location, temperature, unit, sky)


def _made_up(city: str) -> tuple[int, str]:
    """-10 to 35 degrees and one of the skies, from the SHA-256 of the city's name."""
    digest = sha256(city.encode()).digest()
    return digest[0] % 46 - 10, SKIES[digest[1] % len(SKIES)]
