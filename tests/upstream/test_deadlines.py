import asyncio

from deep_chat_proxy.upstream.deadlines import Deadlines

WAIT = 10


class Reached:
    """Remembers when, by the loop's clock, each name was reached."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self.news = asyncio.Event()

    def __call__(self, name: str) -> None:
        self.at[name] = asyncio.get_running_loop().time()
        self.news.set()


async def test_what_takes_too_long_is_told_so_and_nothing_else_is() -> None:
    deadlines, reached = Deadlines(), Reached()
    with (
        deadlines.within(lambda: reached("late")) as late,
        deadlines.within(lambda: reached("lifted")) as lifted,
        deadlines.within(lambda: reached("long")) as long,
    ):
        long.expect(WAIT * 2)
        lifted.expect(0.01)
        late.expect(0.05)
        lifted.lift()
        async with asyncio.timeout(WAIT):
            await reached.news.wait()

    assert set(reached.at) == {"late"}


async def test_a_deadline_that_is_moved_on_is_reached_where_it_was_moved_to() -> None:
    deadlines, reached = Deadlines(), Reached()
    loop = asyncio.get_running_loop()
    with deadlines.within(lambda: reached("moved")) as moved:
        moved.expect(0.02)
        moved.expect(0.2)
        begun = loop.time()
        async with asyncio.timeout(WAIT):
            await reached.news.wait()

    assert reached.at["moved"] - begun >= 0.19


async def test_a_deadline_that_is_drawn_nearer_is_reached_before_the_others() -> None:
    deadlines, reached = Deadlines(), Reached()
    with deadlines.within(lambda: reached("far")) as far, deadlines.within(lambda: reached("near")) as near:
        near.expect(WAIT * 2)
        far.expect(WAIT)
        near.expect(0.02)
        async with asyncio.timeout(WAIT):
            await reached.news.wait()

    assert set(reached.at) == {"near"}


async def test_one_that_is_over_is_never_reached() -> None:
    deadlines, reached = Deadlines(), Reached()
    with deadlines.within(lambda: reached("over")) as over:
        over.expect(0.01)
    with deadlines.within(lambda: reached("next")) as following:
        following.expect(0.05)
        async with asyncio.timeout(WAIT):
            await reached.news.wait()

    assert set(reached.at) == {"next"}
