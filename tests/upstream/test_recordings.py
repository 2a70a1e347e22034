"""What becomes of recordings, in front of a back end that follows a script."""

from pathlib import Path

import aiohttp
import msgspec
import pytest

from deep_chat_proxy.errors import ChatError
from deep_chat_proxy.turn.events import FileKind
from deep_chat_proxy.turn.message import Attachment, UserMessage
from deep_chat_proxy.upstream.client import ApiClient
from deep_chat_proxy.upstream.recordings import AudioWay, RecordingOptions, Recordings
from recordings import WEBM
from upstream.backend import Body, Json, ScriptedBackend, client_of

TRANSCRIBE = "POST /audio/transcriptions"


@pytest.fixture
def client(backend: ScriptedBackend, session: aiohttp.ClientSession) -> ApiClient:
    return client_of(session, backend.base_url, attempts=1)


@pytest.fixture
def recording(tmp_path: Path) -> Attachment:
    path = tmp_path / "spooled"
    path.write_bytes(WEBM)
    return Attachment(path, "audio.mp3", "audio/webm", FileKind.AUDIO, len(WEBM), "0" * 64)


def recordings_of(
    client: ApiClient, recording: Attachment, way: AudioWay = "transcribe", text: str = "Hi"
) -> Recordings:
    options = RecordingOptions(way, "transcriber", longest=20)
    return Recordings(client, options, UserMessage(text, (recording,)), passed={"audio/wav"})


async def test_the_back_end_gets_the_recording_under_the_ending_of_what_it_is(
    backend: ScriptedBackend, client: ApiClient, recording: Attachment
) -> None:
    backend.on(TRANSCRIBE, Json({"text": " Good morning. "}))

    message = await recordings_of(client, recording).heard()

    assert message == UserMessage("Hi\n\n(Recording audio.webm:) Good morning.")
    (request,) = backend.requests
    for part in (b'name="model"\r\n\r\ntranscriber', b'name="response_format"\r\n\r\njson', WEBM):
        assert part in request.body
    assert b'filename="audio.webm"' in request.body


async def test_a_server_may_answer_with_the_text_alone(
    backend: ScriptedBackend, client: ApiClient, recording: Attachment
) -> None:
    backend.on(TRANSCRIBE, Body(("Grüße\n".encode(),), content_type="text/plain; charset=utf-8"))

    assert (await recordings_of(client, recording, text="").heard()).text == "(Recording audio.webm:) Grüße"


async def test_a_recording_in_which_nothing_is_said_is_still_a_message(
    backend: ScriptedBackend, client: ApiClient, recording: Attachment
) -> None:
    backend.on(TRANSCRIBE, Json({"text": ""}))

    assert "nothing is said" in (await recordings_of(client, recording, text="").heard()).text


@pytest.mark.parametrize("status", [400, 404, 405, 413, 415, 422, 501])
async def test_a_back_end_that_does_not_listen_is_a_sentence_and_its_words_stay_in_the_log(
    backend: ScriptedBackend, client: ApiClient, recording: Attachment, status: int
) -> None:
    backend.on(TRANSCRIBE, Json({"error": {"message": "sk-canary has no such model"}}, status))

    with pytest.raises(ChatError) as raised:
        await recordings_of(client, recording).heard()

    assert raised.value.problem.status == 415
    assert raised.value.problem.sentence == (
        'The assistant cannot listen to "audio.webm". Please write your message instead.'
    )


@pytest.mark.parametrize(("status", "code"), [(401, "invalid_key"), (429, "rate_limited"), (500, "failed")])
async def test_other_failures_are_what_they_always_are(
    backend: ScriptedBackend, client: ApiClient, recording: Attachment, status: int, code: str
) -> None:
    backend.on(TRANSCRIBE, Json({"error": {"message": "no"}}, status))

    with pytest.raises(ChatError) as raised:
        await recordings_of(client, recording).heard()

    assert raised.value.problem.code == code


@pytest.mark.parametrize("body", [{"text": None}, {}, [], "x"])
async def test_an_answer_that_is_none_is_a_failure(
    backend: ScriptedBackend, client: ApiClient, recording: Attachment, body: object
) -> None:
    backend.on(TRANSCRIBE, Json(body))

    with pytest.raises(ChatError) as raised:
        await recordings_of(client, recording).heard()

    assert raised.value.problem.code == "failed"


async def test_a_recording_of_too_many_words_is_refused(
    backend: ScriptedBackend, client: ApiClient, recording: Attachment
) -> None:
    backend.on(TRANSCRIBE, Json({"text": "word " * 10}))

    with pytest.raises(ChatError) as raised:
        await recordings_of(client, recording).heard()

    assert raised.value.problem.status == 413


@pytest.mark.parametrize(
    ("way", "media_type", "taken"),
    [
        ("auto", "audio/wav", True),
        ("auto", "audio/webm", False),
        ("pass", "audio/webm", True),
        ("refuse", "audio/wav", False),
    ],
)
async def test_recordings_that_are_not_written_down_are_taken_or_refused_by_their_type(
    client: ApiClient, recording: Attachment, way: AudioWay, media_type: str, taken: bool
) -> None:
    sent = msgspec.structs.replace(recording, media_type=media_type)
    recordings = recordings_of(client, sent, way)

    assert not recordings.to_be_heard
    if taken:
        (kept,) = (await recordings.heard()).attachments
        assert kept.path == recording.path
        return
    with pytest.raises(ChatError) as raised:
        await recordings.heard()
    assert raised.value.problem.status == 415


@pytest.mark.parametrize(
    ("name", "media_type", "named"),
    [
        ("audio-10-11-12.mp3", "audio/webm", "audio-10-11-12.webm"),
        ("audio.mp3", "audio/mpeg", "audio.mp3"),
        ("Talk.OPUS", "audio/ogg", "Talk.OPUS"),
        ("file", "audio/wav", "file.wav"),
        ("v1.2", "audio/flac", "v1.2.flac"),
        ("a" * 120, "audio/aac", "a" * 116 + ".aac"),
        ("notes.txt", "text/plain", "notes.txt"),
        ("song.mp3", "audio/unheard-of", "song.mp3"),
    ],
)
async def test_a_name_ends_in_what_the_recording_is(
    client: ApiClient, recording: Attachment, name: str, media_type: str, named: str
) -> None:
    sent = msgspec.structs.replace(recording, name=name, media_type=media_type)

    assert (await recordings_of(client, sent, "pass").heard()).attachments[0].name == named


async def test_a_message_without_recordings_is_as_it_was(client: ApiClient, recording: Attachment) -> None:
    picture = msgspec.structs.replace(recording, media_type="image/png", kind=FileKind.IMAGE)

    assert await recordings_of(client, picture).heard() == UserMessage("Hi", (picture,))
    assert recordings_of(client, picture).others == UserMessage("Hi", (picture,))
