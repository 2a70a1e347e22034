"""What every answer says to browsers and to whoever stands between."""

import pytest

from chat_server import chat_server, said
from deep_chat_proxy.turn.events import Accepted, Completed, TextDelta


async def test_no_answer_of_the_api_is_kept_or_guessed_at() -> None:
    async with chat_server([[Accepted(), TextDelta("Hi"), Completed()]]) as server:
        client = await server.visitor()
        answer = await client.post("/api/chat", json=said("Hello"))
        error = await client.get("/api/nothing")

        for response in (answer, error):
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("origins", "policy"), [((), "same-origin"), (("https://shop.example",), "cross-origin")]
)
async def test_pages_embed_answers_and_files_only_where_other_origins_are_allowed(
    origins: tuple[str, ...], policy: str
) -> None:
    async with chat_server(allowed_origins=origins) as server:
        client = await server.visitor()
        for path in ("/api/chat/resume", "/api/files/none/none", "/api/nothing"):
            async with client.get(path) as response:
                assert response.headers["Cross-Origin-Resource-Policy"] == policy
        async with client.get("/") as response:
            assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
