"""Recordings: written down, and as part of a message of Chat Completions."""

import base64
from typing import Any

import pytest
from openai import BadRequestError
from openai.types.audio import Transcription

from deep_chat_proxy.local_openai import LocalOptions
from local_openai.wire import Local, StartLocal
from recordings import MP3, WAV, WEBM, saying


async def transcribe(local: Local, name: str, data: bytes, **settings: Any) -> Any:
    given = {"model": "gpt-4o-mini-transcribe", **settings}
    return await local.client.audio.transcriptions.create(file=(name, data), **given)


async def test_a_recording_is_described_by_its_kind_and_size(local: Local) -> None:
    answer = await transcribe(local, "a.webm", WEBM)

    assert Transcription.model_validate(answer.to_dict()).text == (
        f"This is a WebM recording of {len(WEBM)} bytes."
    )


@pytest.mark.parametrize(("name", "beginning"), [("a.webm", WEBM), ("a.WAV", WAV), ("a.mp3", MP3)])
async def test_words_that_stand_in_a_recording_are_what_is_said(
    local: Local, name: str, beginning: bytes
) -> None:
    assert (await transcribe(local, name, saying("Grüße", beginning))).text == "Grüße"


async def test_the_text_can_be_had_alone(local: Local) -> None:
    assert await transcribe(local, "a.wav", saying("Hi", WAV), response_format="text") == "Hi\n"


@pytest.mark.parametrize(
    ("name", "data", "settings", "message"),
    [
        ("a.txt", WEBM, {}, "Invalid file format. Supported formats: ['flac', "),
        ("a", WEBM, {}, "Invalid file format."),
        ("a.mp3", WEBM, {}, "corrupted or unsupported"),
        ("a.wav", b"words", {}, "corrupted or unsupported"),
        ("a.webm", WEBM, {"response_format": "srt"}, "response_format 'srt' is not compatible"),
        ("a.webm", WEBM, {"model": ""}, "Missing required parameter: 'model'"),
    ],
)
async def test_what_is_no_recording_is_refused(
    local: Local, name: str, data: bytes, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadRequestError) as raised:
        await transcribe(local, name, data, **settings)

    assert message in raised.value.message


async def test_a_body_that_is_no_form_is_refused(local: Local) -> None:
    status, answer = await local.call("POST", "/audio/transcriptions", {"model": "x"})

    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")


async def test_a_recording_that_is_too_large_is_refused(start_local: StartLocal) -> None:
    local = await start_local(LocalOptions(max_upload=10))

    with pytest.raises(Exception, match="Maximum content size limit"):
        await transcribe(local, "a.webm", WEBM)


def heard_in_chat(data: bytes, kind: str) -> dict[str, Any]:
    audio = {"type": "input_audio", "input_audio": {"data": base64.b64encode(data).decode(), "format": kind}}
    return {"model": "local-1", "messages": [{"role": "user", "content": [audio]}]}


@pytest.mark.parametrize(("kind", "beginning"), [("wav", WAV), ("mp3", MP3)])
async def test_a_recording_in_a_message_is_listened_to(local: Local, kind: str, beginning: bytes) -> None:
    body = heard_in_chat(saying("Good morning", beginning), kind)
    status, answer = await local.call("POST", "/chat/completions", body)

    assert status == 200
    assert "Good morning" in answer["choices"][0]["message"]["content"]


@pytest.mark.parametrize(("kind", "data"), [("webm", WEBM), ("mp3", WEBM), ("wav", b"words"), ("wav", b"")])
async def test_a_recording_of_another_kind_is_refused_in_a_message(
    local: Local, kind: str, data: bytes
) -> None:
    status, answer = await local.call("POST", "/chat/completions", heard_in_chat(data, kind))

    assert status == 400
    assert "input_audio" in (answer["error"]["param"] or answer["error"]["message"])
