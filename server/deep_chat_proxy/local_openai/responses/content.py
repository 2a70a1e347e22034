"""The parts of a message that comes in, each with what it must hold."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from deep_chat_proxy.local_openai import data_urls
from deep_chat_proxy.local_openai.brain import sniff
from deep_chat_proxy.local_openai.errors import ApiError, missing, not_found
from deep_chat_proxy.local_openai.state import LocalState

Text = Annotated[str, Meta(max_length=10_485_760)]


class TextIn(Struct, tag_field="type", tag="input_text"):
    text: Text


class ImageIn(Struct, kw_only=True, tag_field="type", tag="input_image"):
    image_url: str | None = None
    file_id: str | None = None
    detail: Literal["low", "high", "auto", "original"] = "auto"


class FileIn(Struct, kw_only=True, tag_field="type", tag="input_file"):
    file_id: str | None = None
    file_data: Annotated[str, Meta(max_length=73_400_320)] | None = None
    file_url: str | None = None
    filename: str | None = None


class TextOut(Struct, tag_field="type", tag="output_text"):
    """What the assistant said, sent back by a client that keeps the history itself."""

    text: Text
    annotations: list[dict[str, Any]] = []
    logprobs: list[dict[str, Any]] | None = None


class RefusalOut(Struct, tag_field="type", tag="refusal"):
    refusal: Text


PartIn = TextIn | ImageIn | FileIn
PartOut = TextOut | RefusalOut


def check_part(state: LocalState, part: PartIn | PartOut, param: str) -> None:
    """Raises ApiError: 400 for a file that cannot be read, 404 for one that is not there."""
    if isinstance(part, ImageIn | FileIn) and part.file_id is not None:
        if part.file_id not in state.files:
            raise not_found("file", part.file_id)
    elif isinstance(part, ImageIn):
        _check_image(part.image_url, f"{param}.image_url")
    elif isinstance(part, FileIn):
        if part.file_data is None and part.file_url is None:
            raise missing(f"{param}.file_id")
        if part.file_data is not None and data_urls.decode(part.file_data) is None:
            raise _malformed(f"{param}.file_data", "Expected a base64-encoded data URL with a MIME type.")


def _check_image(url: str | None, param: str) -> None:
    if url is None:
        raise missing(param)
    if url.startswith(("https://", "http://")):
        # Pictures elsewhere are taken but not fetched: this server has no network.
        return
    data = data_urls.decode(url)
    if data is None:
        raise _malformed(param, "Expected a valid URL or a base64-encoded data URL.")
    if sniff.picture(data) is None:
        raise ApiError(
            400,
            "You uploaded an unsupported image. Please make sure your image has of one the following formats: "
            "['png', 'jpeg', 'gif', 'webp'].",
            param=param,
            code="invalid_image_format",
        )


def _malformed(param: str, why: str) -> ApiError:
    return ApiError(400, f"Invalid '{param}'. {why}", param=param, code="invalid_value")
