"""What a visitor has sent today is counted, for each visitor by themselves."""

from collections.abc import AsyncIterator

import pytest

from deep_chat_proxy.store.allowances import Allowances, Amount, Counted
from deep_chat_proxy.store.database import Database

DAY = 24 * 3600.0
MOST = Amount(3, 100)


class Clock:
    """What time it is, in seconds."""

    now = 20_000 * DAY + 60

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def database() -> AsyncIterator[Database]:
    database = await Database.open(":memory:")
    yield database
    await database.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def allowances(database: Database, clock: Clock) -> Allowances:
    return Allowances(database, MOST, clock)


async def taken(allowances: Allowances, amount: Amount) -> Counted:
    counted = await allowances.take("visitor", amount)
    assert counted is not None
    return counted


async def test_a_visitor_who_has_sent_nothing_has_all_of_the_day(allowances: Allowances) -> None:
    assert await allowances.left("visitor") == MOST


async def test_what_was_sent_is_gone_for_this_visitor_alone(allowances: Allowances) -> None:
    await taken(allowances, Amount(1, 40))
    await taken(allowances, Amount(1, 10))

    assert await allowances.take("visitor", Amount(1, 51)) is None
    assert await allowances.take("visitor", Amount(2, 1)) is None
    assert await allowances.take("other", Amount(3, 100)) is not None
    assert await allowances.take("visitor", Amount(1, 50)) is not None


async def test_a_message_that_was_not_taken_is_not_counted_and_counts_when_it_is(
    allowances: Allowances,
) -> None:
    await allowances.give_back(await taken(allowances, Amount(2, 60)))

    assert await allowances.left("visitor") == MOST
    await taken(allowances, Amount(2, 60))
    assert await allowances.take("visitor", Amount(2, 1)) is None


async def test_a_new_day_begins_at_midnight_and_forgets_the_days_before(
    allowances: Allowances, database: Database, clock: Clock
) -> None:
    await taken(allowances, MOST)
    clock.now += allowances.until_tomorrow - 1
    assert (await allowances.take("visitor", Amount(1, 1)), allowances.until_tomorrow) == (None, 1)
    clock.now += 1

    assert await allowances.left("visitor") == MOST
    await taken(allowances, Amount(1, 1))
    assert await database.read("SELECT day, files FROM allowance") == [(20_001, 1)]


async def test_another_process_counts_on_from_there(allowances: Allowances, database: Database) -> None:
    await taken(allowances, Amount(2, 60))
    other = Allowances(database, MOST, Clock())

    assert await other.left("visitor") == Amount(1, 40)
    assert await other.take("visitor", Amount(1, 41)) is None


async def test_a_visitor_who_is_forgotten_is_not_known_again_by_what_is_given_back(
    allowances: Allowances, database: Database
) -> None:
    counted = await taken(allowances, Amount(1, 40))
    await database.insert("DELETE FROM allowance WHERE visitor = ?", ("visitor",))
    await allowances.give_back(counted)

    assert await database.read("SELECT * FROM allowance") == []
