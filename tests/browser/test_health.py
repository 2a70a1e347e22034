"""Who watches over the server is told whether messages should be sent to it."""

from typing import Any

from chat_server import ChatServer, chat_server
from deep_chat_proxy.store.sqlite import SqliteStore


async def probed(server: ChatServer, address: str) -> tuple[int, Any]:
    client = await server.visitor()
    async with client.get(address) as response:
        return response.status, await response.json()


async def test_a_server_whose_store_answers_is_ready() -> None:
    async with chat_server() as server:
        assert await probed(server, "/readyz") == (200, {"status": "ok"})
        assert await probed(server, "/healthz") == (200, {"status": "ok"})


async def test_a_server_that_is_ending_lives_and_is_not_ready() -> None:
    async with chat_server() as server:
        await server.chat.turns.close()

        assert await probed(server, "/readyz") == (
            503,
            {"error": "The server is restarting. Please try again in a moment."},
        )
        assert await probed(server, "/healthz") == (200, {"status": "ok"})


async def test_a_server_whose_store_is_broken_is_not_ready() -> None:
    async with chat_server() as server:
        store = server.chat.store
        assert isinstance(store, SqliteStore)
        await store.database.write(lambda connection: connection.execute("ALTER TABLE thread RENAME TO lost"))

        assert await probed(server, "/readyz") == (503, {"error": "The server's store does not answer."})
        assert await probed(server, "/healthz") == (200, {"status": "ok"})
