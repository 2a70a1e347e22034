"""Uses of the hosted tools: file search, web search, code interpreter, image generation."""

import base64
from typing import Any

from deep_chat_proxy.local_openai import data_urls
from deep_chat_proxy.local_openai.brain import sniff
from deep_chat_proxy.local_openai.brain.actions import DrawImage, RunCode, SearchFiles, SearchWeb
from deep_chat_proxy.local_openai.brain.pieces import pieces
from deep_chat_proxy.local_openai.responses.stage import Stage
from deep_chat_proxy.local_openai.responses.tools import ImageTool


async def search_files(stage: Stage, action: SearchFiles, question: str) -> None:
    """`question` is what is searched for."""
    opened = stage.open(
        "fs_",
        {"type": "file_search_call", "status": "in_progress", "queries": [question], "results": None},
    )
    opened.tell("file_search_call.in_progress")
    opened.tell("file_search_call.searching")
    await stage.beat()
    opened.item["results"] = [
        {"file_id": hit.file_id, "filename": hit.name, "score": 0.9, "text": hit.text, "attributes": {}}
        for hit in action.hits
    ]
    opened.tell("file_search_call.completed")
    opened.close()


async def search_web(stage: Stage, action: SearchWeb) -> None:
    sources = [{"type": "url", "url": source.url} for source in action.sources]
    search = {"type": "search", "query": action.query, "queries": [action.query], "sources": sources}
    opened = stage.open("ws_", {"type": "web_search_call", "status": "in_progress", "action": search})
    opened.tell("web_search_call.in_progress")
    opened.tell("web_search_call.searching")
    await stage.beat()
    opened.tell("web_search_call.completed")
    opened.close()


async def run_code(stage: Stage, action: RunCode) -> None:
    opened = stage.open(
        "ci_",
        {
            "type": "code_interpreter_call",
            "status": "in_progress",
            "code": "",
            "container_id": stage.container().id,
            "outputs": None,
        },
    )
    opened.tell("code_interpreter_call.in_progress")
    for piece in pieces(action.code):
        opened.item["code"] += piece
        opened.tell("code_interpreter_call_code.delta", delta=piece)
        await stage.beat()
    opened.tell("code_interpreter_call_code.done", code=action.code)
    opened.tell("code_interpreter_call.interpreting")
    opened.item["outputs"] = _outputs(stage, action)
    opened.tell("code_interpreter_call.completed")
    opened.close()


def _outputs(stage: Stage, action: RunCode) -> list[dict[str, Any]]:
    outputs: list[dict[str, Any]] = []
    if action.logs:
        outputs.append({"type": "logs", "logs": action.logs})
    if action.image is not None:
        stage.publish(action.image)
        outputs.append({"type": "image", "url": data_urls.encode(action.image.data, "image/png")})
    return outputs


async def draw_image(stage: Stage, action: DrawImage) -> None:
    opened = stage.open("ig_", {"type": "image_generation_call", "status": "in_progress", "result": None})
    encoded = base64.b64encode(action.file.data).decode()
    picture = sniff.picture(action.file.data)
    size = f"{picture.width}x{picture.height}" if picture is not None else None
    opened.tell("image_generation_call.in_progress")
    opened.tell("image_generation_call.generating")
    for index in range(_partial_images(stage)):
        opened.tell(
            "image_generation_call.partial_image", partial_image_index=index, partial_image_b64=encoded
        )
        await stage.beat()
    opened.item.update(result=encoded, output_format="png", size=size, revised_prompt=action.prompt)
    opened.tell("image_generation_call.completed")
    opened.close()


def _partial_images(stage: Stage) -> int:
    """How many unfinished pictures the client wants to see; here they are all the finished one."""
    return next((tool.partial_images for tool in stage.kept.response.tools if isinstance(tool, ImageTool)), 0)
