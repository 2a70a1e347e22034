"""A back end with files of any size: the local OpenAI, but what is uploaded is counted and not kept, and every file has
the same content, made while it is read. Run by itself: `large_back_end.py SIZE --port 0`.
"""

import hashlib
import sys

from aiohttp import BodyPartReader, web
from aiohttp.typedefs import Handler

from deep_chat_proxy.local_openai import STATE, LocalOptions, create_local_openai

SIZE = int(sys.argv[1])
BLOCK = b"city,celsius\r\n" * 8192
SEEN: web.AppKey[list[list[object]]] = web.AppKey("seen", list[list[object]])


@web.middleware
async def large_files(request: web.Request, handler: Handler) -> web.StreamResponse:
    """In front of what the local OpenAI does with files."""
    if request.path == "/seen":
        return web.json_response(request.app[SEEN])
    if (request.method, request.path) == ("POST", "/v1/files"):
        return await take(request)
    if request.path.endswith("/content"):
        return await give(request)
    return await handler(request)


async def take(request: web.Request) -> web.Response:
    """Count the bytes of an upload, and hash them."""
    digest, size = hashlib.sha256(), 0
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        while chunk := await part.read_chunk():
            if part.name == "file":
                digest.update(chunk)
                size += len(chunk)
    request.app[SEEN].append([size, digest.hexdigest()])
    kept = request.app[STATE].add_file("large.txt", b"text", "assistants")
    return web.json_response({"id": kept.id, "object": "file"})


async def give(request: web.Request) -> web.StreamResponse:
    """A file of `SIZE` bytes."""
    response = web.StreamResponse()
    response.content_length = SIZE
    await response.prepare(request)
    left = SIZE
    while left > 0:
        await response.write(BLOCK[:left])
        left -= len(BLOCK[:left])
    return response


def tell(text: str) -> None:
    sys.stderr.write(text.splitlines()[0].strip("= ") + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    app = create_local_openai(LocalOptions(token_delay=0, poll_after_ms=5))
    app[SEEN] = []
    app.middlewares.insert(0, large_files)
    web.run_app(app, host="127.0.0.1", port=0, access_log=None, print=tell)
