"""Which address a request asked for, as a log may say it."""

from aiohttp import web


def place(request: web.Request) -> str:
    """Method and pattern of the route: unlike the path it holds no file name and no id."""
    resource = request.match_info.route.resource
    return f"{request.method} {resource.canonical if resource is not None else '(no route)'}"
