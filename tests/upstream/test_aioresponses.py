from types import SimpleNamespace

import aiohttp
import pytest
from aioresponses import aioresponses as mocked_api


async def test_aioresponses_still_needs_to_be_told_of_a_response_s_stream_writer() -> None:
    # Fails when aioresponses works with this aiohttp again: delete CompatibleResponse in conftest.py then.
    async with aiohttp.ClientSession() as session:
        with mocked_api() as mock:
            mock.get("http://backend/v1", payload={})
            with pytest.raises(TypeError, match="stream_writer"):
                await session.get("http://backend/v1")


async def test_a_mocked_call_is_answered(api: mocked_api, session: aiohttp.ClientSession) -> None:
    api.get("http://backend/v1", payload={"a": 1}, headers={"x-b": "c"})

    async with session.get("http://backend/v1") as response:
        answer = SimpleNamespace(
            status=response.status, body=await response.json(), b=response.headers["x-b"]
        )

    assert answer == SimpleNamespace(status=200, body={"a": 1}, b="c")
