"""The tool loop, as dialogues: what the back end says, and what a visitor is shown of it."""

import asyncio
from collections.abc import Sequence

import pytest

from deep_chat_proxy.errors import CUT_OFF, EMPTY_ANSWER, FAILED, RATE_LIMITED, TOO_MANY_ROUNDS, ChatError
from deep_chat_proxy.turn.events import (
    Accepted,
    ChatFile,
    Cited,
    Completed,
    Cut,
    Failed,
    FileKind,
    FileMade,
    FileReady,
    PartStarted,
    Source,
    SourcesListed,
    Status,
    Stopped,
    TextDelta,
    TextReplaced,
    ToolCall,
    ToolCallsRequested,
    ToolEnded,
    ToolOutput,
    ToolStarted,
    TurnEvent,
    UpstreamEvent,
    Usage,
)
from deep_chat_proxy.turn.loop import TurnLoop
from playing import FakeKeeper, FakeTools, ScriptedTurn, Step, csv_made, soon, until

ASKED = ToolCall("call_1", "weather", '{"location": "Oslo"}')
ASKED_TOO = ToolCall("call_2", "clock", "{}")


class Play:
    """Plays a script; `emitted` is every batch, `batches` those with something to show, `shown` what was in them."""

    def __init__(self, *stretches: Sequence[Step], tools: FakeTools | None = None, rounds: int = 3) -> None:
        self.upstream = ScriptedTurn(*stretches)
        self.tools = tools or FakeTools()
        self.keeper = FakeKeeper()
        self.emitted: list[list[TurnEvent]] = []
        self._loop = TurnLoop(
            self.upstream, self.tools, self.keeper, self._emit, max_rounds=rounds, max_text=10_000
        )

    def _emit(self, events: Sequence[TurnEvent]) -> None:
        self.emitted.append(list(events))

    @property
    def batches(self) -> list[list[TurnEvent]]:
        return [batch for batch in self.emitted if batch]

    @property
    def shown(self) -> list[TurnEvent]:
        return [event for batch in self.batches for event in batch]

    async def play(self) -> list[TurnEvent]:
        await soon(self._loop.play())
        return self.shown

    async def fail(self) -> ChatError:
        with pytest.raises(ChatError) as raised:
            await self.play()
        return raised.value


async def test_text_goes_through_to_the_end() -> None:
    play = Play([[Accepted()], [TextDelta("Hello"), TextDelta(" there.")], [Usage(3, 2), Completed()]])

    assert await play.play() == [Accepted(), TextDelta("Hello there."), Usage(3, 2), Completed()]


async def test_what_came_in_one_batch_is_shown_in_one_batch_with_its_texts_as_one() -> None:
    said: list[UpstreamEvent] = [
        TextDelta("Hello"),
        TextDelta(" there."),
        Status("Thinking…"),
        TextDelta(" Bye."),
        TextDelta(""),
    ]
    play = Play([[Accepted(), *said], [], [Completed()]])
    await play.play()

    shown = [Accepted(), TextDelta("Hello there."), Status("Thinking…"), TextDelta(" Bye.")]
    assert play.batches == [shown, [Completed()]]


async def test_text_that_came_whole_stays_apart_from_what_streamed() -> None:
    play = Play(
        [[Accepted(), TextDelta("a"), TextDelta("b", whole=True), TextDelta("c", whole=True)], [Completed()]]
    )

    assert (await play.play())[1:-1] == [TextDelta("a"), TextDelta("bc", whole=True)]


async def test_a_batch_that_shows_nothing_is_passed_on_as_a_sign_of_life() -> None:
    play = Play([[Accepted()], [], [TextDelta("Hi."), Completed()]])
    await play.play()

    assert play.emitted[:3] == [[Accepted()], [], [TextDelta("Hi."), Completed()]]


async def test_parts_are_joined_with_a_blank_line() -> None:
    play = Play(
        [
            [
                Accepted(),
                PartStarted(),
                TextDelta("One."),
                PartStarted(),
                PartStarted(),
                TextDelta("Two."),
                Completed(),
            ]
        ]
    )

    assert await play.play() == [Accepted(), TextDelta("One."), TextDelta("\n\nTwo."), Completed()]


async def test_whole_text_stays_marked_as_whole() -> None:
    play = Play([[Accepted(), TextDelta("All of it.", whole=True), Completed()]])

    assert await play.play() == [Accepted(), TextDelta("All of it.", whole=True), Completed()]


async def test_the_outputs_of_a_round_go_back_together_and_in_the_order_of_the_calls() -> None:
    clock_ran = asyncio.Event()

    async def weather(_: ToolCall) -> str:
        await clock_ran.wait()
        return "rain"

    async def clock(_: ToolCall) -> str:
        clock_ran.set()
        return "noon"

    play = Play(
        [[Accepted(), TextDelta("Let me look!")], [ToolCallsRequested((ASKED, ASKED_TOO))]],
        [[PartStarted(), TextDelta("Rain at noon."), Completed()]],
        tools=FakeTools(weather=weather, clock=clock),
    )

    assert await play.play() == [
        Accepted(),
        TextDelta("Let me look"),
        TextDelta("!"),
        ToolStarted("call_1", "weather", "Running weather"),
        ToolStarted("call_2", "clock", "Running clock"),
        ToolEnded("call_2", "clock", ok=True),
        ToolEnded("call_1", "weather", ok=True),
        TextDelta("\n\nRain at noon."),
        Completed(),
    ]
    assert play.upstream.submitted == [[ToolOutput("call_1", "rain"), ToolOutput("call_2", "noon")]]


async def test_a_failed_tool_is_an_output_too_and_the_answer_goes_on() -> None:
    play = Play(
        [[Accepted()], [ToolCallsRequested((ASKED,))]],
        [[TextDelta("I cannot tell."), Completed()]],
    )

    assert await play.play() == [
        Accepted(),
        ToolStarted("call_1", "weather", "Running weather"),
        ToolEnded("call_1", "weather", ok=False),
        TextDelta("I cannot tell."),
        Completed(),
    ]
    assert play.upstream.submitted == [[ToolOutput("call_1", "no such tool", ok=False)]]


async def test_as_many_rounds_as_are_allowed_are_played() -> None:
    asking: list[Step] = [[ToolCallsRequested((ASKED,))]]
    play = Play(
        [[Accepted()], *asking],
        asking,
        [[TextDelta("Done."), Completed()]],
        tools=FakeTools(weather="x"),
        rounds=2,
    )

    assert (await play.play())[-1] == Completed()
    assert len(play.tools.ran) == 2


async def test_one_round_more_than_allowed_fails_the_turn_before_the_tools_run() -> None:
    asking: list[Step] = [[ToolCallsRequested((ASKED,))]]
    play = Play([[Accepted()], *asking], asking, asking, tools=FakeTools(weather="x"), rounds=2)

    assert (await play.fail()).problem is TOO_MANY_ROUNDS
    assert len(play.tools.ran) == 2


async def test_a_request_for_the_outputs_of_no_calls_fails_the_turn() -> None:
    assert (await Play([[Accepted()], [ToolCallsRequested(())]]).fail()).problem is CUT_OFF


async def test_a_stream_that_ends_without_an_end_fails_the_turn_and_keeps_what_was_held() -> None:
    play = Play([[Accepted(), TextDelta("See [the table")]])

    assert (await play.fail()).problem is CUT_OFF
    assert play.shown == [Accepted(), TextDelta("See "), TextDelta("[the table")]


async def test_a_refusal_of_the_back_end_is_raised_with_nothing_shown() -> None:
    play = Play([ChatError(RATE_LIMITED, retry_after=7)])

    fault = await play.fail()

    assert (fault.problem, fault.retry_after) == (RATE_LIMITED, 7)
    assert play.shown == []


async def test_a_failure_that_the_back_end_reports_ends_the_turn_after_the_text_before_it() -> None:
    play = Play([[Accepted(), TextDelta("Half an answer!"), Failed(FAILED)]])

    assert await play.play() == [
        Accepted(),
        TextDelta("Half an answer"),
        TextDelta("!"),
        Failed(FAILED),
    ]


@pytest.mark.parametrize("text", ["", " \n", "【4:0†source】"])
async def test_an_answer_with_nothing_to_read_is_a_failure(text: str) -> None:
    play = Play([[Accepted(), TextDelta(text), Completed()]])

    assert (await play.play())[-1] == Failed(EMPTY_ANSWER)


async def test_an_empty_answer_that_was_cut_says_why_it_is_empty() -> None:
    assert (await Play([[Accepted(), Completed(Cut.CONTENT_FILTER)]]).play())[-1] == Completed(
        Cut.CONTENT_FILTER
    )


async def test_a_file_is_kept_and_shown_under_our_own_id_and_is_an_answer() -> None:
    play = Play([[Accepted(), csv_made(), Completed()]])

    assert await play.play() == [
        Accepted(),
        FileReady(ChatFile("file-1", "data.csv", FileKind.ANY)),
        Completed(),
    ]


async def test_a_run_that_the_back_end_reports_cancelled_is_no_empty_answer() -> None:
    assert await Play([[Accepted(), Stopped()]]).play() == [Accepted(), Stopped()]


async def test_replaced_text_is_made_readable_too_and_goes_on() -> None:
    play = Play(
        [
            [
                Accepted(),
                TextDelta("wrong"),
                TextReplaced("Right【1†a】 ["),
                TextDelta("x](sandbox:/x)"),
                Completed(),
            ]
        ]
    )

    assert await play.play() == [
        Accepted(),
        TextDelta("wrong"),
        TextReplaced("Right "),
        TextDelta("x"),
        Completed(),
    ]


async def test_status_is_passed_on_before_and_after_acceptance() -> None:
    play = Play([[Status("Uploading")], [Accepted(), Status("Queued"), TextDelta("Hi"), Completed()]])

    assert await play.play() == [
        Status("Uploading"),
        Accepted(),
        Status("Queued"),
        TextDelta("Hi"),
        Completed(),
    ]


async def test_the_stream_of_the_back_end_is_left_when_the_turn_ends() -> None:
    play = Play([[Accepted(), TextDelta("Hi"), Completed()], None])
    await play.play()

    assert play.upstream.generators_open == 0


async def test_a_stop_in_the_middle_of_a_batch_keeps_the_text_before_it() -> None:
    play = Play([[Accepted(), TextDelta("Kept!"), csv_made(), TextDelta("Not reached"), Completed()]])
    stuck = asyncio.Event()

    async def never_kept(made: FileMade) -> ChatFile:
        stuck.set()
        await asyncio.Event().wait()
        raise AssertionError(made)

    play.keeper.file_made = never_kept  # type: ignore[method-assign]
    async with asyncio.TaskGroup() as group:
        playing = group.create_task(play.play())
        await soon(stuck.wait())
        playing.cancel()

    assert play.shown == [Accepted(), TextDelta("Kept"), TextDelta("!")]
    assert play.upstream.generators_open == 0


async def test_a_stop_while_tools_run_stops_the_tools() -> None:
    running, cancelled = asyncio.Event(), asyncio.Event()

    async def slow(_: ToolCall) -> str:
        running.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return ""

    play = Play([[Accepted()], [ToolCallsRequested((ASKED,))]], tools=FakeTools(weather=slow))
    async with asyncio.TaskGroup() as group:
        playing = group.create_task(play.play())
        await soon(running.wait())
        playing.cancel()

    assert cancelled.is_set()
    assert play.upstream.submitted == []


async def test_a_call_that_is_asked_for_twice_in_one_round_is_run_once() -> None:
    play = Play(
        [[Accepted(), ToolCallsRequested((ASKED, ASKED_TOO, ASKED))]], [[TextDelta("Fine"), Completed()]]
    )
    await play.play()

    assert play.tools.ran == [ASKED, ASKED_TOO]
    assert [output.call_id for output in play.upstream.submitted[0]] == ["call_1", "call_2"]


async def test_a_storm_of_calls_fails_the_turn_before_any_tool_runs() -> None:
    storm = tuple(ToolCall(f"call_{number}", "weather", "{}") for number in range(65))
    play = Play([[Accepted(), ToolCallsRequested(storm)]])

    with pytest.raises(ChatError) as raised:
        await play.play()

    assert raised.value.problem == TOO_MANY_ROUNDS
    assert play.tools.ran == []


SOURCE = "https://s.example/p"
NUMBER = rf"[\[1\]]({SOURCE})"
LIST = SourcesListed(f"\n\n**Sources**\n\n1. [S]({SOURCE})", (Source(1, "S", SOURCE),))


async def test_a_source_that_is_told_of_late_replaces_the_text_once_and_is_listed() -> None:
    play = Play(
        [
            [Accepted(), TextDelta("One【4:0†source】 "), TextDelta("two【4:0†source】.")],
            [Cited("S", SOURCE, marker="【4:0†source】"), Completed()],
        ]
    )

    assert (await play.play())[-3:] == [TextReplaced(f"One{NUMBER} two{NUMBER}."), LIST, Completed()]
    assert sum(isinstance(event, TextReplaced) for event in play.shown) == 1


async def test_a_source_that_is_known_in_time_replaces_nothing() -> None:
    play = Play(
        [
            [
                Accepted(),
                Cited("S", SOURCE, marker="【4:0†source】"),
                TextDelta("One【4:0†source】."),
                Completed(),
            ]
        ]
    )

    assert await play.play() == [Accepted(), TextDelta(f"One{NUMBER}."), LIST, Completed()]


async def test_the_text_is_put_right_before_tools_run_and_where_an_answer_fails() -> None:
    cited = Cited("S", SOURCE, marker="【4:0†source】")
    play = Play(
        [[Accepted(), TextDelta("One【4:0†source】."), cited, ToolCallsRequested((ASKED,))]],
        [[PartStarted(), TextDelta("Two【4:1†source】."), cited_again(), Failed(FAILED)]],
        tools=FakeTools(weather="x"),
    )
    shown = await play.play()

    assert [event for event in shown if isinstance(event, TextReplaced)] == [
        TextReplaced(f"One{NUMBER}."),
        TextReplaced(f"One{NUMBER}.\n\nTwo{NUMBER}."),
    ]
    assert shown[-1] == Failed(FAILED)
    assert not any(isinstance(event, SourcesListed) for event in shown)


def cited_again() -> Cited:
    return Cited("S", SOURCE, marker="【4:1†source】")


async def test_a_stop_puts_the_text_right() -> None:
    play = Play(
        [[Accepted(), TextDelta("One【4:0†source】."), Cited("S", SOURCE, marker="【4:0†source】")], None]
    )
    async with asyncio.TaskGroup() as group:
        playing = group.create_task(play.play())
        await until(lambda: len(play.emitted) > 0)
        playing.cancel()

    assert play.shown[-1] == TextReplaced(f"One{NUMBER}.")


async def test_a_cited_file_is_a_link_where_the_visitor_can_fetch_it() -> None:
    play = Play(
        [
            [
                Accepted(),
                Cited("data.csv", upstream_id="up-1", marker="【4:0†source】"),
                TextDelta("One【4:0†source】."),
                Completed(),
            ]
        ]
    )
    file = ChatFile("f1", "data.csv", FileKind.ANY)
    play.keeper.known["up-1"] = file

    assert (await play.play())[1:3] == [
        TextDelta(r"One[\[1\]](deep-chat-file:f1/data.csv)."),
        SourcesListed(
            "\n\n**Sources**\n\n1. [data.csv](deep-chat-file:f1/data.csv)",
            (Source(1, "data.csv", file=file),),
        ),
    ]


async def test_a_made_file_is_linked_where_the_model_wrote_of_it() -> None:
    made = FileMade("up-1", "t.csv", FileKind.ANY, marker="sandbox:/mnt/t.csv")
    play = Play([[Accepted(), TextDelta("[The table](sandbox:/mnt/t.csv)."), made, Completed()]])

    assert (await play.play())[-2:] == [
        TextReplaced("[The table](deep-chat-file:file-1/t.csv)."),
        Completed(),
    ]


async def test_a_list_of_sources_is_not_taken_into_code_that_never_ended() -> None:
    play = Play([[Accepted(), TextDelta("```\nx"), Cited("S", SOURCE), Completed()]])

    assert (await play.play())[-2] == SourcesListed(f"\n```{LIST.text}", LIST.sources)


async def test_a_model_that_writes_without_end_fails_the_turn() -> None:
    play = Play([[Accepted(), *[TextDelta("【4:0†source】") for _ in range(2_000)], Completed()]])

    assert (await play.fail()).problem is FAILED
