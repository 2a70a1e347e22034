"""Writing down what is said in a recording."""

from aiohttp import web

from deep_chat_proxy.local_openai import body, form
from deep_chat_proxy.local_openai.brain import sniff
from deep_chat_proxy.local_openai.brain.listening import heard
from deep_chat_proxy.local_openai.errors import ApiError
from deep_chat_proxy.local_openai.usage import tokens

ENDINGS = {
    "flac": "FLAC",
    "m4a": "MPEG-4",
    "mp3": "MP3",
    "mp4": "MPEG-4",
    "mpeg": "MP3",
    "mpga": "MP3",
    "oga": "Ogg",
    "ogg": "Ogg",
    "wav": "WAV",
    "webm": "WebM",
}
"""What a file's name may end in, and what the file must be then."""
FORMATS = ("json", "text")


async def transcribe(request: web.Request) -> web.Response:
    """The recording is known by the ending of its name, as at OpenAI. `model` may be any."""
    sent = await form.read(request, "'file' and 'model'")
    sent.needed("model")
    wanted = sent.fields.get("response_format", "json")
    if wanted not in FORMATS:
        raise ApiError(
            400,
            f"response_format '{wanted}' is not compatible with this model. Use 'json' or 'text' instead.",
            param="response_format",
            code="unsupported_value",
        )
    text = _text(sent.name, sent.file)
    if wanted == "text":
        return web.Response(text=f"{text}\n", content_type="text/plain")
    return body.answer({"text": text, "usage": _usage(sent.file, text)})


def _text(name: str, data: bytes) -> str:
    ending = name.rpartition(".")[2].lower()
    if ending not in ENDINGS:
        raise ApiError(400, f"Invalid file format. Supported formats: {list(ENDINGS)}")
    text = heard(data)
    if text is None or sniff.sound(data) != ENDINGS[ending]:
        raise ApiError(
            400, "Audio file might be corrupted or unsupported", param="file", code="invalid_value"
        )
    return text


def _usage(data: bytes, text: str) -> dict[str, object]:
    listened, written = tokens(len(data)), tokens(len(text))
    return {
        "type": "tokens",
        "input_tokens": listened,
        "input_token_details": {"audio_tokens": listened, "text_tokens": 0},
        "output_tokens": written,
        "total_tokens": listened + written,
    }
