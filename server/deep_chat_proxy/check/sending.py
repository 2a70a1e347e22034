"""One message, sent as a visitor's would be; it is billed."""

import asyncio
import time

from deep_chat_proxy.check.findings import Finding, missing, note, works
from deep_chat_proxy.errors import ChatError, Problem
from deep_chat_proxy.settings import Settings
from deep_chat_proxy.store.keeper import StoreKeeper
from deep_chat_proxy.store.processes import Process
from deep_chat_proxy.store.records import ThreadRecord
from deep_chat_proxy.store.shelf import Shelf
from deep_chat_proxy.store.sqlite import SqliteStore
from deep_chat_proxy.store.turns import SqliteTurns
from deep_chat_proxy.tools import ToolExecutor
from deep_chat_proxy.turn.events import Failed, TextDelta
from deep_chat_proxy.turn.journal import OpenTurn
from deep_chat_proxy.turn.log import TurnLog
from deep_chat_proxy.turn.loop import TurnLoop
from deep_chat_proxy.turn.message import UserMessage
from deep_chat_proxy.turn.ports import Dialect

MESSAGE = "Please answer with the one word: OK"
_LONGEST_SHOWN = 80


async def check_message(dialect: Dialect, settings: Settings, tools: ToolExecutor) -> list[Finding]:
    """Send the message and follow its answer to the end, with a store that is gone afterwards."""
    store, shelf = await SqliteStore.open(":memory:"), Shelf(None, settings.kept_files)
    try:
        await store.add_thread(ThreadRecord("check", "check"))
        turn = OpenTurn("check", "check", "check", UserMessage(MESSAGE))
        turns = SqliteTurns(store.database, Process(None), kept=0)
        return await _converse(dialect, settings, tools, StoreKeeper(store, turns, shelf, turn))
    finally:
        await shelf.close()
        await store.close()


async def _converse(
    dialect: Dialect, settings: Settings, tools: ToolExecutor, keeper: StoreKeeper
) -> list[Finding]:
    log = TurnLog(capacity=settings.log_events, max_text=settings.max_answer)
    turn = dialect.turn(keeper, UserMessage(MESSAGE))
    loop = TurnLoop(
        turn, tools, keeper, log.extend, max_rounds=settings.tool_rounds, max_text=settings.max_answer
    )
    began = time.monotonic()
    try:
        async with asyncio.timeout(settings.turn_timeout):
            await loop.play()
    except ChatError as fault:
        return [_failure(fault.problem, fault.cause)]
    except TimeoutError:
        return [missing("A message was not answered in time.", "DEEP_CHAT_TURN_TIMEOUT")]
    finally:
        await turn.close()
    return _answer(log, time.monotonic() - began)


def _answer(log: TurnLog, seconds: float) -> list[Finding]:
    if isinstance(log.end, Failed):
        return [_failure(log.end.problem, "")]
    shown = " ".join(log.text.split())
    shown = shown if len(shown) <= _LONGEST_SHOWN else shown[: _LONGEST_SHOWN - 1] + "…"
    pieces = sum(isinstance(event, TextDelta) for event in log.after(0)[1])
    return [
        works(f"A message was answered in {seconds:.1f} s: “{shown}”"),
        note(f"The answer came in {pieces} {'piece' if pieces == 1 else 'pieces'}.", "DEEP_CHAT_FOLLOW"),
    ]


def _failure(problem: Problem, cause: str) -> Finding:
    why = f" ({cause})" if cause else ""
    return missing(f"A message was not answered: {problem.code}{why}.")
