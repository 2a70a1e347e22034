"""The models: `local-1`, and no other."""

from aiohttp import web

from deep_chat_proxy.local_openai import body
from deep_chat_proxy.local_openai.errors import ApiError

MODEL = "local-1"
MODEL_OBJECT = {"id": MODEL, "object": "model", "created": 1_700_000_000, "owned_by": "deep-chat-proxy"}


async def list_models(_request: web.Request) -> web.Response:
    return body.answer({"object": "list", "data": [MODEL_OBJECT]})


async def retrieve_model(request: web.Request) -> web.Response:
    model = request.match_info["model"]
    if model != MODEL:
        raise ApiError(404, f"The model '{model}' does not exist", param="model", code="model_not_found")
    return body.answer(MODEL_OBJECT)
