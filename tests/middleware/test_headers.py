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
