"""The least that a proxy on aiohttp can do: bytes are passed on as they come, and nothing looks at them.

python -m bench.copying '{"port": 8080, "back_end": 8081, "loop": "uvloop"}'
"""

import asyncio
import json
import sys

import aiohttp
from aiohttp import web

from bench.loops import Loop, run_on


async def serve(port: int, back_end: int) -> None:
    """Serve until the process is ended."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def copy(request: web.Request) -> web.StreamResponse:
            url = f"http://127.0.0.1:{back_end}{request.path}"
            headers = {"Content-Type": "application/json", "Authorization": "Bearer bench"}
            async with session.post(url, data=await request.read(), headers=headers) as answer:
                response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                return response

        app = web.Application()
        app.router.add_post("/{path:.*}", copy)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
        await asyncio.Event().wait()


def _main(port: int, back_end: int, loop: Loop) -> None:
    run_on(loop, serve(port, back_end))


if __name__ == "__main__":
    _main(**json.loads(sys.argv[1]))
