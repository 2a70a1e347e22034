"""The contract: recordings are given to the model, written down or refused, as the settings say."""

import pytest

from deep_chat_proxy.errors import Problem
from deep_chat_proxy.turn.events import Completed, FileKind
from deep_chat_proxy.turn.message import Attachment
from deep_chat_proxy.upstream.recordings import AudioWay
from recordings import MP3, WAV, WEBM, saying
from upstream.contract.cases import Case, listening
from upstream.contract.dying import picked_up
from upstream.contract.talk import Make, Talk

TYPES = {"audio/webm": WEBM, "audio/wav": WAV, "audio/mpeg": MP3}
# As Deep Chat names whatever its microphone has recorded.
NAME = "audio-10-11-12.mp3"
ENDINGS = {"audio/webm": "webm", "audio/wav": "wav", "audio/mpeg": "mp3"}
WORDS = "the meeting is on Tuesday"


def cases(way: AudioWay) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", listening(way), ids=lambda case: case.name)


each_type = pytest.mark.parametrize("media_type", TYPES)


def recording(talk: Talk, media_type: str, words: str = WORDS) -> Attachment:
    return talk.file(NAME, saying(words, TYPES[media_type]), media_type, FileKind.AUDIO)


async def assert_refused(talk: Talk, media_type: str) -> None:
    """With a sentence that names the file by what it is; the thread goes on."""
    answer = await talk.say("listen", recording(talk, media_type))

    assert isinstance(answer.problem, Problem)
    assert answer.problem.status == 415
    assert f'listen to "audio-10-11-12.{ENDINGS[media_type]}"' in answer.problem.sentence
    assert not talk.state.files
    assert (await talk.say("hello")).end == Completed()


@each_type
@cases("refuse")
async def test_a_recording_is_refused_where_the_settings_say_so(
    make: Make, case: Case, media_type: str
) -> None:
    await assert_refused(await make(case), media_type)


@each_type
@cases("auto")
async def test_what_chat_completions_takes_is_given_to_the_model_and_the_rest_refused(
    make: Make, case: Case, media_type: str
) -> None:
    talk = await make(case)
    if case.dialect != "chat" or media_type == "audio/webm":
        await assert_refused(talk, media_type)
        return

    assert WORDS in (await talk.say("listen", recording(talk, media_type))).text
    assert (await talk.say("thanks")).end == Completed()


@each_type
@cases("pass")
async def test_a_recording_is_given_to_the_model_where_the_settings_say_so(
    make: Make, case: Case, media_type: str
) -> None:
    talk = await make(case)
    answer = await talk.say("listen", recording(talk, media_type))

    if case.dialect == "chat" and media_type == "audio/webm":
        # OpenAI's own document knows no other recordings than WAV and MP3.
        assert answer.problem is not None
    else:
        assert WORDS in answer.text
    assert (await talk.say("hello")).end == Completed()


@each_type
@cases("transcribe")
async def test_a_recording_is_written_down_where_the_settings_say_so(
    make: Make, case: Case, media_type: str
) -> None:
    talk = await make(case)
    answer = await talk.say("Note this:", recording(talk, media_type))

    assert answer.end == Completed()
    assert f"(Recording audio-10-11-12.{ENDINGS[media_type]}:) {WORDS}" in answer.text
    assert answer.statuses[:1] == ["Listening…"]
    assert not talk.state.files
    assert WORDS in (await talk.say("what did I say first?")).text


@cases("transcribe")
async def test_a_recording_without_a_word_beside_it_is_a_message(make: Make, case: Case) -> None:
    talk = await make(case)
    answer = await talk.say("", recording(talk, "audio/webm", "what is the weather in Paris?"))

    assert answer.end == Completed()
    assert [call.name for call in answer.tools.calls] == ["get_weather"]


@cases("transcribe")
async def test_other_files_are_sent_as_they_are(make: Make, case: Case) -> None:
    talk = await make(case)
    notes = talk.file("notes.txt", b"Bring the map", "text/plain")
    answer = await talk.say("see", recording(talk, "audio/webm"), notes)

    assert "Bring the map" in answer.text


@cases("transcribe")
async def test_what_the_back_end_cannot_listen_to_is_refused(make: Make, case: Case) -> None:
    talk = await make(case)
    answer = await talk.say("listen", talk.file(NAME, b"noise", "audio/webm", FileKind.AUDIO))

    assert isinstance(answer.problem, Problem)
    assert answer.problem.status == 415
    assert (await talk.say("hello")).end == Completed()


@cases("transcribe")
async def test_a_recording_is_written_down_wherever_the_process_died_that_it_was_sent_to(
    make: Make, case: Case
) -> None:
    talk = await make(case)
    for step in range(1, 200):
        dying = await talk.another()
        opened = dying.opened("Note this:", recording(dying, "audio/webm"))
        lives = await picked_up(case, dying, opened, step)
        ended = await lives[-1].turns.last(dying.thread.thread_id, 60)

        assert ended is not None
        assert (step, ended.end) == (step, Completed())
        assert f"(Recording audio-10-11-12.webm:) {WORDS}" in ended.text
        if not lives[0].fate.dead:
            return
    raise AssertionError("the turn never ends")
