"""What people write first: FastAPI with the official SDK, each delta passed on as an event.

python -m bench.with_sdk '{"port": 8080, "back_end": 8081, "dialect": "assistants"}'
"""

import json
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import fastapi
import openai
import uvicorn
from fastapi.responses import JSONResponse, StreamingResponse

from bench.answers import Dialect

Texts = Callable[[openai.AsyncOpenAI, str], AsyncIterator[str]]


async def _assistants(client: openai.AsyncOpenAI, said: str) -> AsyncIterator[str]:
    stream: Any = await client.beta.threads.create_and_run(
        assistant_id="asst_bench", thread={"messages": [{"role": "user", "content": said}]}, stream=True
    )
    async for event in stream:
        if event.event == "thread.message.delta":
            for part in event.data.delta.content or []:
                if part.type == "text" and part.text and part.text.value:
                    yield part.text.value


async def _responses(client: openai.AsyncOpenAI, said: str) -> AsyncIterator[str]:
    stream = await client.responses.create(model="bench-1", input=said, stream=True)
    async for event in stream:
        if event.type == "response.output_text.delta":
            yield event.delta


async def _chat(client: openai.AsyncOpenAI, said: str) -> AsyncIterator[str]:
    stream = await client.chat.completions.create(
        model="bench-1", messages=[{"role": "user", "content": said}], stream=True
    )
    async for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


_TEXTS: dict[Dialect, Texts] = {"assistants": _assistants, "responses": _responses, "chat": _chat}


def app(back_end: int, dialect: Dialect) -> fastapi.FastAPI:
    """The handler; a request that accepts no event stream is answered with one object."""
    most = 4096
    client = openai.AsyncOpenAI(
        api_key="bench",
        base_url=f"http://127.0.0.1:{back_end}/v1",
        http_client=openai.DefaultAsyncHttpxClient(
            limits=openai.DEFAULT_CONNECTION_LIMITS.__class__(
                max_connections=most, max_keepalive_connections=most
            )
        ),
    )
    texts = _TEXTS[dialect]

    async def chat(request: fastapi.Request) -> fastapi.Response:
        said = (await request.json())["messages"][-1]["text"]
        if "text/event-stream" not in request.headers.get("accept", ""):
            return JSONResponse({"text": "".join([text async for text in texts(client, said)])})

        async def events() -> AsyncIterator[str]:
            async for text in texts(client, said):
                yield f"data: {json.dumps({'text': text})}\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    served = fastapi.FastAPI()
    served.add_api_route("/api/chat", chat, methods=["POST"], response_model=None)
    return served


def _main(port: int, back_end: int, dialect: Dialect) -> None:
    uvicorn.run(app(back_end, dialect), host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    _main(**json.loads(sys.argv[1]))
