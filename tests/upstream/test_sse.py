import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deep_chat_proxy.upstream.sse import EventDecoder, EventTooLongError, ServerEvent

BOM = b"\xef\xbb\xbf"
ENOUGH = 1 << 20
LINES = st.sampled_from(
    [
        *(b"data: x", b"data:x", b"data:  y", b"data", b"data:", b"data: a: b", b"event: e", b"event:f"),
        *(b": c", b"id: 1", b"", "data: é€😀".encode(), b"retry: 5", b"datax: no", b"\x00\xff"),
        BOM + b"data: z",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
STREAMS = st.builds(
    lambda bom, lines, rest: bom + b"".join(line + end for line, end in lines) + rest,
    st.sampled_from([b"", BOM, BOM[:2]]),
    st.lists(st.tuples(LINES, ENDS), max_size=30),
    LINES,
)


def reference(stream: bytes) -> list[ServerEvent]:
    """The event stream format, line by line; an event that the end cuts off counts, too."""
    lines = re.split(b"\r\n|\n|\r", stream.removeprefix(BOM))
    events, name, data = [], b"", list[bytes]()
    for line in [*lines, b""]:
        if line:
            field, _, value = line.partition(b":")
            value = value[1:] if value[:1] == b" " else value
            if field == b"event":
                name = value
            if field == b"data":
                data.append(value)
            continue
        if data:
            events.append(ServerEvent(name.decode(errors="replace"), b"\n".join(data)))
        name, data = b"", []
    return events


def decode(*chunks: bytes, max_event: int = ENOUGH) -> list[ServerEvent]:
    decoder = EventDecoder(max_event=max_event)
    return [event for chunk in chunks for event in decoder.feed(chunk)] + decoder.finish()


@given(STREAMS, st.data())
@example(b"\n\n" + BOM + b"data: z\n\n", None)
@example(b"data: x\r\n\r\ndata: y\r\n\r\n", None)
def test_any_split_of_any_stream_gives_the_events_that_its_lines_say(
    stream: bytes, data: st.DataObject
) -> None:
    if data is None:
        cuts = list(range(len(stream)))
    else:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    chunks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    assert decode(*chunks) == decode(stream) == reference(stream)


@given(STREAMS)
def test_a_stream_that_comes_byte_by_byte_gives_the_same_events(stream: bytes) -> None:
    assert decode(*(stream[at : at + 1] for at in range(len(stream)))) == reference(stream)


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_no_bytes_at_all_make_the_decoder_fail(chunks: list[bytes]) -> None:
    assert decode(*chunks) == reference(b"".join(chunks))


def test_an_event_is_given_out_with_its_blank_line_not_before_and_not_later() -> None:
    decoder = EventDecoder(max_event=ENOUGH)

    assert decoder.feed(b"event: a\ndata: 1\n") == []
    assert decoder.feed(b"\ndata: 2") == [ServerEvent("a", b"1")]
    assert decoder.feed(b"\r\r") == [ServerEvent("", b"2")]
    assert decoder.feed(b"\n") == []


def test_a_line_end_is_one_line_end_also_where_nothing_comes_between_its_halves() -> None:
    assert decode(b"data: x\r", b"", b"\ndata: y\r\n\r\n") == [ServerEvent("", b"x\ny")]


def test_data_lines_are_joined_and_comments_passed_over() -> None:
    assert decode(b": hello\ndata: 1\n: ping\ndata:2\ndata\n\n") == [ServerEvent("", b"1\n2\n")]


def test_the_name_of_an_event_without_data_does_not_pass_to_the_next() -> None:
    assert decode(b"event: lost\n\ndata: 1\n\n") == [ServerEvent("", b"1")]


def events_before_the_limit(*chunks: bytes, max_event: int) -> list[ServerEvent]:
    decoder = EventDecoder(max_event=max_event)
    events: list[ServerEvent] = []
    for chunk in chunks:
        try:
            events += decoder.feed(chunk)
        except EventTooLongError as fault:
            return [*events, *fault.before]
    pytest.fail("no event was too long")


@given(st.integers(0, 3), st.integers(0, 3), st.data())
def test_an_event_may_be_as_long_as_the_limit_and_no_longer_however_it_is_cut(
    before: int, after: int, data: st.DataObject
) -> None:
    longest = b"data: " + b"x" * 14
    stream = b"data: y\n\n" + b"\n" * before + longest + b"\n" * (2 + after) + b"data: z\n\n"
    at = data.draw(st.integers(0, len(stream)))

    assert decode(stream[:at], stream[at:], max_event=20) == reference(stream)
    assert events_before_the_limit(stream[:at], stream[at:], max_event=19) == [ServerEvent("", b"y")]


def test_an_event_without_an_end_is_refused_before_it_is_held() -> None:
    decoder = EventDecoder(max_event=100)
    decoder.feed(b": " + b"x" * 98)

    with pytest.raises(EventTooLongError):
        decoder.feed(b"y")


def test_many_short_events_may_be_longer_than_the_limit_together() -> None:
    assert len(decode(b"data: 123\n\n" * 1000, max_event=9)) == 1000
