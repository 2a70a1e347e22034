"""Containers and their files: retrieve, list, download, delete."""

from urllib.parse import quote

from aiohttp import web

from deep_chat_proxy.local_openai import body, paging
from deep_chat_proxy.local_openai.containers import Container, ContainerFile
from deep_chat_proxy.local_openai.errors import bad_id, not_found
from deep_chat_proxy.local_openai.state import STATE


def _find(request: web.Request) -> Container:
    """Raises ApiError: 400 for what is no container id at all, 404 also for a container that has ended."""
    container_id = request.match_info["container_id"]
    if not container_id.startswith("cntr"):
        raise bad_id("container_id", container_id, "cntr")
    container = request.app[STATE].containers.get(container_id)
    if container is None:
        raise not_found("container", container_id)
    return container


def _find_file(request: web.Request) -> ContainerFile:
    """Raises ApiError (400, 404)."""
    file_id = request.match_info["file_id"]
    file = _find(request).files.get(file_id)
    if file is None:
        raise not_found("container file", file_id)
    return file


async def retrieve_container(request: web.Request) -> web.Response:
    return body.answer(_find(request).object(request.app[STATE].options.container_ttl))


async def list_files(request: web.Request) -> web.Response:
    files = list(_find(request).files.values())
    chosen, has_more = paging.page(files, paging.query(request), what="file", id_of=lambda file: file.id)
    shown = [file.object() for file in chosen]
    return body.answer(paging.list_object(shown, [file.id for file in chosen], has_more=has_more))


async def retrieve(request: web.Request) -> web.Response:
    return body.answer(_find_file(request).object())


async def content(request: web.Request) -> web.Response:
    file = _find_file(request)
    disposition = f"attachment; filename*=UTF-8''{quote(file.name, errors='replace')}"
    return web.Response(
        body=file.data, content_type="application/octet-stream", headers={"Content-Disposition": disposition}
    )


async def delete(request: web.Request) -> web.Response:
    file = _find_file(request)
    del _find(request).files[file.id]
    return body.answer({"id": file.id, "object": "container.file.deleted", "deleted": True})
