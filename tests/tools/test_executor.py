import asyncio
import contextvars
import functools
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from deep_chat_proxy.tools import Registry, Tool, ToolExecutor, tool
from deep_chat_proxy.turn.events import ToolCall, ToolOutput

CANARY = "sk-canary-7f3a"
WAIT = 5
NEVER = 0.01  # seconds: the timeout of calls that wait for what never comes


def executor(*functions: Any, **options: Any) -> ToolExecutor:
    tools = [one if isinstance(one, Tool) else tool(description="Do.")(one) for one in functions]
    return ToolExecutor(Registry(tools), **options)


def call(name: str, arguments: str = "{}", call_id: str = "call_1") -> ToolCall:
    return ToolCall(call_id, name, arguments)


async def run_at_once(tools: ToolExecutor, calls: list[ToolCall]) -> list[ToolOutput]:
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(tools.run(each)) for each in calls]
    return [each.result() for each in running]


def begin_event() -> tuple[asyncio.Event, Callable[[], object]]:
    """An event to await on the loop, and what a thread calls to set it."""
    begun = asyncio.Event()
    return begun, functools.partial(asyncio.get_running_loop().call_soon_threadsafe, begun.set)


def error_of(output: ToolOutput) -> str:
    assert not output.ok
    told = msgspec.json.decode(output.output, type=dict[str, str])
    assert list(told) == ["error"]
    return told["error"]


def add(a: int, b: int = 2) -> int:
    return a + b


async def greet(name: str) -> str:
    return f"Hello {name}"


async def test_an_async_tool_gives_its_text():
    output = await executor(greet).run(call("greet", '{"name": "Ann"}', "call_9"))

    assert output == ToolOutput("call_9", "Hello Ann")


async def test_a_sync_tool_gives_its_result_as_json():
    assert await executor(add).run(call("add", '{"a": 1}')) == ToolOutput("call_1", "3")


async def test_a_sync_function_around_a_coroutine_function_is_awaited():
    @functools.wraps(greet)
    def wrapper(name: str) -> Any:
        return greet(name)

    assert (await executor(wrapper).run(call("greet", '{"name": "Ann"}'))).output == "Hello Ann"


async def test_an_unknown_tool_is_told_with_those_there_are():
    output = await executor(add, greet).run(call("subtract"))

    assert error_of(output) == "There is no tool of this name. Tools there are: add, greet."


async def test_wrong_arguments_are_told_by_the_name_of_the_field():
    output = await executor(add).run(call("add", '{"a": "1"}'))

    assert error_of(output) == (
        "The arguments are wrong: Expected `int`, got `str` - at `$.a`. Correct them and call the tool again."
    )


@pytest.mark.parametrize("arguments", ["\ud800", '{"a": "\ud800"}'])
async def test_arguments_that_are_no_text_are_told(arguments: str):
    assert "cannot be read" in error_of(await executor(add).run(call("add", arguments)))


async def test_arguments_nested_too_deeply_are_told():
    def anything(a: Any) -> None: ...

    assert error_of(await executor(anything).run(call("anything", '{"a":' + "[" * 100_000)))


def raises_in_thread() -> NoReturn:
    raise ValueError(CANARY)


async def raises_on_loop() -> NoReturn:
    raise ValueError(CANARY)


async def raises_timeout() -> NoReturn:
    raise TimeoutError(CANARY)


async def cancels_itself() -> NoReturn:
    raise asyncio.CancelledError(CANARY)


async def exits() -> NoReturn:
    sys.exit(CANARY)


def exits_in_thread() -> NoReturn:
    sys.exit(CANARY)


def stops_iteration() -> NoReturn:
    raise StopIteration(CANARY)


FAILING = [
    raises_in_thread,
    raises_on_loop,
    raises_timeout,
    cancels_itself,
    exits,
    exits_in_thread,
    stops_iteration,
]


@pytest.mark.parametrize("function", FAILING)
async def test_a_tool_that_fails_is_told_without_its_words(function: Any, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)

    output = await executor(function).run(call(function.__name__))

    assert error_of(output).startswith("The tool failed.")
    assert CANARY not in output.output
    assert CANARY not in caplog.text
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(f"tool {function.__name__} failed with ")


async def test_the_whole_failure_is_logged_at_debug(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)

    await executor(raises_in_thread).run(call("raises_in_thread"))

    assert f"ValueError: {CANARY}" in caplog.text
    assert [record.levelno for record in caplog.records if record.exc_info] == [logging.DEBUG]


@pytest.mark.parametrize(
    ("name", "arguments"), [(CANARY, "{}"), ("add", f'{{"{CANARY}": 1}}'), ("add", f'{{"a": "{CANARY}"}}')]
)
async def test_what_the_model_wrote_is_not_in_the_log(
    name: str, arguments: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)

    output = await executor(add).run(call(name, arguments))

    assert not output.ok
    assert len(caplog.records) == 1
    assert CANARY not in caplog.text


async def test_a_result_without_a_json_form_is_told(caplog: pytest.LogCaptureFixture):
    class Secret:
        def __repr__(self) -> str:
            return CANARY

    def hide() -> Any:
        return Secret()

    output = await executor(hide).run(call("hide"))

    assert error_of(output) == "The tool returned nothing that can be read."
    assert [record.getMessage() for record in caplog.records] == [
        "tool hide returned a Secret without a JSON form"
    ]


async def test_a_fault_of_a_type_of_the_tool_is_told_without_its_words(caplog: pytest.LogCaptureFixture):
    class Place(Struct):
        name: str

        def __post_init__(self) -> None:
            raise KeyError(CANARY)

    def go(place: Place) -> str:
        return place.name

    output = await executor(go).run(call("go", '{"place": {"name": "a"}}'))

    assert "cannot be read" in error_of(output)
    assert CANARY not in output.output + caplog.text


async def test_an_output_is_whole_at_the_limit_and_cut_above():
    def text(length: int) -> str:
        return "x" * length

    tools = executor(text, max_output=100)

    whole = await tools.run(call("text", '{"length": 100}'))
    cut = await tools.run(call("text", '{"length": 101}'))

    assert whole == ToolOutput("call_1", "x" * 100)
    assert cut == ToolOutput("call_1", "x" * 70 + "… [cut: 70 of 101 characters]")


@given(arguments=st.one_of(st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")), st.text()))
async def test_any_arguments_give_exactly_one_output(arguments: str):
    def anything(a: Any = None, b: int = 1) -> Any:
        return [a, b]

    output = await executor(anything).run(call("anything", arguments, "call_7"))

    assert output.call_id == "call_7"
    assert msgspec.json.decode(output.output)


@given(
    arguments=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abc"), inner),
    )
)
async def test_any_json_gives_exactly_one_output(arguments: Any):
    output = await executor(add).run(call("add", msgspec.json.encode(arguments).decode()))

    assert output.ok == isinstance(msgspec.json.decode(output.output), int)


async def test_a_sync_tool_does_not_hold_up_the_loop():
    begun, begin = begin_event()
    go_on = threading.Event()

    def wait() -> str:
        begin()
        return "went on" if go_on.wait(WAIT) else "the loop stood still"

    async def release() -> str:
        await begun.wait()
        go_on.set()
        return "released"

    async with asyncio.timeout(WAIT):
        outputs = await run_at_once(executor(wait, release), [call("wait"), call("release")])

    assert [output.output for output in outputs] == ["went on", "released"]


async def test_calls_of_a_round_run_at_once_in_threads_and_on_the_loop():
    in_threads, on_loop = threading.Barrier(3), asyncio.Barrier(3)

    def meet() -> str:
        in_threads.wait(WAIT)
        return "met"

    async def join() -> str:
        async with asyncio.timeout(WAIT):
            await on_loop.wait()
        return "joined"

    outputs = await run_at_once(executor(meet, join), [call("meet"), call("join")] * 3)

    assert [output.output for output in outputs] == ["met", "joined"] * 3


async def test_outputs_come_in_the_order_of_the_calls_whichever_ends_first():
    second_ended = asyncio.Event()

    async def first() -> str:
        await second_ended.wait()
        return "1"

    async def second() -> str:
        second_ended.set()
        return "2"

    async with asyncio.timeout(WAIT):
        outputs = await run_at_once(
            executor(first, second),
            [call("first", call_id="a"), call("second", call_id="b"), call("none", call_id="c")],
        )

    assert [output.call_id for output in outputs] == ["a", "b", "c"]
    assert [output.ok for output in outputs] == [True, True, False]


async def test_no_more_sync_tools_run_at_once_than_there_are_threads():
    begun, begin = begin_event()
    release = threading.Event()

    def hold() -> bool:
        begin()
        return release.wait(WAIT)

    async with asyncio.timeout(WAIT), asyncio.TaskGroup() as group:
        running = group.create_task(run_at_once(executor(hold, threads=2), [call("hold")] * 5))
        await begun.wait()
        # The calls of a round are started in one go, so those that may run have their thread by now.
        threads = [thread for thread in threading.enumerate() if thread.name == "tool hold"]
        release.set()

    assert len(threads) == 2
    assert [output.output for output in running.result()] == ["true"] * 5


async def test_context_variables_reach_tools_in_threads():
    visitor: contextvars.ContextVar[str] = contextvars.ContextVar("visitor")

    def who() -> str:
        return visitor.get()

    visitor.set("Ann")

    assert (await executor(who).run(call("who"))).output == "Ann"


async def hang() -> None:
    await asyncio.Event().wait()


async def test_an_async_tool_that_hangs_is_told_after_the_timeout(caplog: pytest.LogCaptureFixture):
    output = await executor(hang, timeout=NEVER).run(call("hang"))

    assert error_of(output) == "The tool did not answer within 0.01 seconds."
    assert [record.getMessage() for record in caplog.records] == ["tool hang timed out after 0.01 s"]


async def test_the_timeout_of_a_tool_stands_before_that_of_the_executor():
    own = tool(description="Do.", timeout=NEVER)(hang)

    async with asyncio.timeout(WAIT):
        output = await executor(own, timeout=60).run(call("hang"))

    assert "0.01 seconds" in error_of(output)


async def test_a_tool_that_fails_while_it_is_timed_out_counts_as_timed_out():
    async def stumble() -> None:
        try:
            await hang()
        finally:
            raise ValueError(CANARY)

    assert "did not answer" in error_of(await executor(stumble, timeout=NEVER).run(call("stumble")))


def blocking_until(release: threading.Event) -> Any:
    def block() -> None:
        release.wait(WAIT)

    return block


async def tool_threads_ended() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("tool "):
            await asyncio.to_thread(thread.join, WAIT)
            assert not thread.is_alive()


async def test_threads_that_hang_do_not_take_the_places_of_others():
    release = threading.Event()
    blocked = tool(description="Do.", timeout=NEVER)(blocking_until(release))
    tools = executor(blocked, add, threads=1)

    for hanging in range(1, 4):
        assert "did not answer" in error_of(await tools.run(call("block")))
        assert tools.lost_threads == hanging
    assert (await tools.run(call("add", '{"a": 1}'))).ok

    release.set()
    await tool_threads_ended()


async def test_sync_tools_are_refused_while_too_many_threads_hang(caplog: pytest.LogCaptureFixture):
    release = threading.Event()
    blocked = tool(description="Do.", timeout=NEVER)(blocking_until(release))
    tools = executor(blocked, add, greet, threads=1)
    for _ in range(4):
        await tools.run(call("block"))
    caplog.clear()

    refused = await tools.run(call("add", '{"a": 1}'))

    assert error_of(refused) == "The tool is not available right now."
    assert [record.getMessage() for record in caplog.records] == [
        "tool add was not run: 4 earlier calls still hang"
    ]
    assert (await tools.run(call("greet", '{"name": "Ann"}'))).ok

    release.set()
    await tool_threads_ended()
    assert tools.lost_threads == 0
    assert (await tools.run(call("add", '{"a": 1}'))).ok


async def test_cancelling_a_round_cancels_its_async_tools_and_propagates():
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def stay() -> None:
        begun.set()
        try:
            await hang()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with asyncio.timeout(WAIT), asyncio.TaskGroup() as group:
        running = group.create_task(run_at_once(executor(stay), [call("stay"), call("none")]))
        await begun.wait()
        running.cancel()

    assert running.cancelled()
    assert cancelled.is_set()


async def test_cancelling_a_sync_tool_gives_up_its_thread():
    begun, begin = begin_event()
    release = threading.Event()

    def stay() -> None:
        begin()
        release.wait(WAIT)

    tools = executor(stay)
    async with asyncio.timeout(WAIT), asyncio.TaskGroup() as group:
        running = group.create_task(tools.run(call("stay")))
        await begun.wait()
        running.cancel()

    assert running.cancelled()
    assert tools.lost_threads == 1
    release.set()
    await tool_threads_ended()


async def test_close_waits_for_a_sync_tool_that_ends_in_time():
    begun, begin = begin_event()
    release = threading.Event()
    done: list[str] = []

    def finish() -> None:
        begin()
        release.wait(WAIT)
        done.append("finished")

    tools = executor(finish)
    async with asyncio.timeout(WAIT), asyncio.TaskGroup() as group:
        running = group.create_task(tools.run(call("finish")))
        await begun.wait()
        running.cancel()
        group.create_task(tools.close(wait=WAIT))
        release.set()

    assert done == ["finished"]


async def test_close_leaves_behind_what_does_not_end_and_refuses_further_calls(
    caplog: pytest.LogCaptureFixture,
):
    release = threading.Event()
    tools = executor(tool(description="Do.", timeout=NEVER)(blocking_until(release)), add)
    await tools.run(call("block"))
    caplog.clear()

    await tools.close(wait=NEVER)
    output = await tools.run(call("add", '{"a": 1}'))

    assert [record.getMessage() for record in caplog.records] == [
        "1 tool threads still run and are left behind",
        "tool add was not run: the tools are closed",
    ]
    assert not output.ok
    release.set()
    await tool_threads_ended()


def test_a_thread_that_hangs_does_not_keep_the_interpreter_from_ending():
    program = (
        "import asyncio, threading\n"
        "from deep_chat_proxy.tools import Registry, ToolExecutor, tool\n"
        "from deep_chat_proxy.turn.events import ToolCall\n"
        "@tool(timeout=0.01)\n"
        "def hang() -> None:\n"
        "    'Hang.'\n"
        "    threading.Event().wait()\n"
        "print(asyncio.run(ToolExecutor(Registry([hang])).run(ToolCall('c', 'hang', ''))).ok)\n"
    )

    ended = subprocess.run(  # noqa: S603 - the program above
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )

    assert ended.stdout == "False\n"


def test_a_label_tells_a_visitor_what_goes_on():
    tools = executor(add, tool(description="Do.", label="Greeting…")(greet))

    assert tools.label("add") == "Using add…"
    assert tools.label("greet") == "Greeting…"
    assert tools.label("<b>made up</b>") == "Using a tool…"


@pytest.mark.parametrize(
    "options", [{"timeout": 0}, {"timeout": float("nan")}, {"max_output": 99}, {"threads": 0}]
)
def test_an_option_out_of_range_is_refused_by_name(options: dict[str, Any]):
    with pytest.raises(ValueError, match=f"^{next(iter(options))} must be "):
        executor(**options)
