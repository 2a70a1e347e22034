"""Answers that are one JSON object."""

import msgspec
from aiohttp import web


def json_answer(body: object, *, status: int = 200) -> web.Response:
    """`body` as a JSON answer."""
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")
