"""What becomes of the recordings of a message: given to the model, written down by the back end, or refused.

A recording is written down before the message is brought to the back end, and what is said in it is words of the
message. Whoever picks a turn up before that has it written down once more, which does nothing twice.
"""

import logging
from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from deep_chat_proxy.errors import FAILED, ChatError, refused
from deep_chat_proxy.turn.context import current_turn
from deep_chat_proxy.turn.events import Status
from deep_chat_proxy.turn.filenames import LONGEST
from deep_chat_proxy.turn.message import Attachment, UserMessage
from deep_chat_proxy.upstream.client import ApiClient, Call, Reply, path
from deep_chat_proxy.upstream.failures import UpstreamError
from deep_chat_proxy.upstream.files import form_of

logger = logging.getLogger("deep_chat_proxy.upstream")

LISTENING = Status("Listening…")
AUDIO_ENDINGS = {
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/mp4": "m4a",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/wav": "wav",
    "audio/webm": "webm",
}
"""What the name of a recording ends in, by which back ends tell what it is."""
_OTHER_ENDINGS = {
    "audio/mp4": frozenset({"m4b", "mp4"}),
    "audio/mpeg": frozenset({"mpga"}),
    "audio/ogg": frozenset({"oga", "opus"}),
}
# Statuses by which a back end says that it writes nothing down, or not this.
_NOT_HEARD = frozenset({400, 404, 405, 413, 415, 422, 501})
_NOTHING_SAID = "(nothing is said)"

AudioWay = Literal["auto", "pass", "transcribe", "refuse"]


class RecordingOptions(Struct, frozen=True):
    """What becomes of recordings, as in the settings, and how many characters one may be when it is written down."""

    way: AudioWay = "auto"
    model: str = ""
    longest: int = 256_000


class Transcription(Struct):
    text: str


class Recordings:
    """Those of one message. `passed` are the types that the protocol takes where nothing else is set."""

    def __init__(
        self,
        client: ApiClient,
        options: RecordingOptions,
        message: UserMessage,
        passed: Collection[str] = (),
    ) -> None:
        self._client = client
        self._options = options
        self._passed = passed
        self._message = replace(message, attachments=tuple(map(_with_its_ending, message.attachments)))

    @property
    def to_be_heard(self) -> bool:
        """Whether there is something to be written down."""
        return self._options.way == "transcribe" and any(map(_is_recording, self._message.attachments))

    @property
    def others(self) -> UserMessage:
        """The message without what is written down of it."""
        if self._options.way != "transcribe":
            return self._message
        others = tuple(each for each in self._message.attachments if not _is_recording(each))
        return replace(self._message, attachments=others)

    async def heard(self) -> UserMessage:
        """The message as the model is to have it. Raises ChatError for a recording that it cannot have."""
        recordings = [each for each in self._message.attachments if _is_recording(each)]
        if self._options.way != "transcribe":
            for recording in recordings:
                self._check(recording)
            return self._message
        words = [self._message.text] if self._message.text else []
        words += [f"(Recording {each.name}:) {await self._written_down(each)}" for each in recordings]
        return replace(self.others, text="\n\n".join(words))

    def _check(self, recording: Attachment) -> None:
        way = self._options.way
        if way == "refuse" or (way == "auto" and recording.media_type not in self._passed):
            raise not_heard(recording.name)

    async def _written_down(self, recording: Attachment) -> str:
        fields = {"model": self._options.model, "response_format": "json"}
        call = Call(
            "POST",
            path("audio", "transcriptions"),
            form=lambda: form_of(recording, fields),
            repeatable=True,
            patient=True,
        )
        try:
            text = _said_in(await self._client.ask(call))
        except UpstreamError as fault:
            if fault.status not in _NOT_HEARD:
                raise
            logger.warning("turn %s: a recording is not written down: %s", current_turn.get(), fault.cause)
            raise not_heard(recording.name) from fault
        except OSError as fault:
            raise ChatError(FAILED, f"a recording cannot be read: {type(fault).__name__}") from fault
        if len(text) > self._options.longest:
            raise refused(413, f'"{recording.name}" is too long. Please send a shorter recording.')
        return text or _NOTHING_SAID


def not_heard(name: str) -> ChatError:
    """The assistant can do nothing with such a recording."""
    return refused(
        415,
        f'The assistant cannot listen to "{name}". Please write your message instead.',
        code="file_not_taken",
    )


def _said_in(reply: Reply) -> str:
    # Some servers answer with the text alone, whatever they are asked for.
    if reply.headers.get("Content-Type", "").startswith("text/plain"):
        return reply.body.decode("utf-8", "replace").strip()
    return reply.into(Transcription).text.strip()


def _is_recording(attachment: Attachment) -> bool:
    return attachment.media_type.startswith("audio/")


def _with_its_ending(attachment: Attachment) -> Attachment:
    """Under a name that ends in what it is: Deep Chat calls every recording of its microphone MP3."""
    ending = AUDIO_ENDINGS.get(attachment.media_type)
    name = PurePosixPath(attachment.name)
    given = name.suffix[1:].lower()
    if ending is None or given == ending or given in _OTHER_ENDINGS.get(attachment.media_type, ()):
        return attachment
    stem = name.stem if given in AUDIO_ENDINGS.values() else attachment.name
    return replace(attachment, name=f"{stem[: LONGEST - len(ending) - 1]}.{ending}")
