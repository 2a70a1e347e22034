"""Lists in pages, as every list of the API is given."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from aiohttp import web
from msgspec import Struct

from deep_chat_proxy.local_openai.errors import ApiError, invalid_value, not_found

T = TypeVar("T")


class Query(Struct, frozen=True):
    """Which page is asked for; `after` and `before` are ids that do not belong to it."""

    limit: int
    descending: bool
    after: str | None
    before: str | None


def query(request: web.Request, *, default: int = 20, most: int = 100) -> Query:
    """The page that a request asks for. Raises ApiError (400) for a limit outside 1 to `most`, or another order."""
    limit = request.query.get("limit", str(default))
    if not limit.isascii() or not limit.isdigit() or len(limit) > 6 or not 1 <= int(limit) <= most:
        raise ApiError(
            400, f"Invalid 'limit': expected a number from 1 to {most}.", param="limit", code="invalid_value"
        )
    order = request.query.get("order", "desc")
    if order not in {"asc", "desc"}:
        raise invalid_value("order", "expected 'asc' or 'desc'.")
    return Query(int(limit), order == "desc", request.query.get("after"), request.query.get("before"))


def page(items: Sequence[T], asked: Query, *, what: str, id_of: Callable[[T], str]) -> tuple[list[T], bool]:
    """
    The items of a page, and whether more lie beyond it in the direction of reading.

    `items` are oldest first. With `before`, the page is the one that ends right before that item, so
    that one can page back. Raises ApiError (404) where a cursor names no item of the list.
    """
    ordered = list(reversed(items)) if asked.descending else list(items)
    ids = [id_of(item) for item in ordered]
    for cursor in (asked.after, asked.before):
        if cursor and cursor not in ids:
            raise not_found(what, cursor)
    start = ids.index(asked.after) + 1 if asked.after else 0
    end = ids.index(asked.before) if asked.before else len(ordered)
    between = ordered[start:end]
    back = asked.before and not asked.after
    chosen = between[-asked.limit :] if back else between[: asked.limit]
    return chosen, len(chosen) < len(between)


def list_object(items: Sequence[Any], ids: Sequence[str], *, has_more: bool) -> dict[str, Any]:
    """The list as it stands on the wire."""
    return {
        "object": "list",
        "data": list(items),
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
        "has_more": has_more,
    }
