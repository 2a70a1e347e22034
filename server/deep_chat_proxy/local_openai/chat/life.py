"""The life of a completion: performs what the brain answers, until that ends. It has none without its connection."""

import asyncio
import logging
from typing import Any

from deep_chat_proxy.local_openai.brain.actions import (
    Action,
    CallFunctions,
    CiteUrl,
    CutConnection,
    CutShort,
    Expire,
    Fail,
    Fault,
    Hang,
    NewMessage,
    Pace,
    Refuse,
    Say,
    StreamError,
    Think,
    Wait,
)
from deep_chat_proxy.local_openai.brain.conversation import Call, Conversation
from deep_chat_proxy.local_openai.brain.pieces import pieces
from deep_chat_proxy.local_openai.chat.kept import ChatKept
from deep_chat_proxy.local_openai.chat.objects import Usage
from deep_chat_proxy.local_openai.errors import ApiError, server_error
from deep_chat_proxy.local_openai.ids import new_id
from deep_chat_proxy.local_openai.options import LocalOptions
from deep_chat_proxy.local_openai.usage import tokens, tokens_of

BETWEEN_MESSAGES = "\n\n"
"""Two messages are one here, as an answer holds no more."""
logger = logging.getLogger("deep_chat_proxy.local_openai")


class CompletionStops(Exception):  # noqa: N818 - no error: the completion has come to an end
    """Leaves the script of a completion for a reason to finish."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CompletionLife:
    """One completion; `live` is to be run once, in a task of its own."""

    def __init__(
        self, options: LocalOptions, kept: ChatKept, known: Conversation, script: tuple[Action, ...]
    ) -> None:
        """`script` is what the brain answers to what is `known`."""
        self._options = options
        self._kept = kept
        self._known = known
        self._script = script
        self._pace = options.token_delay
        self._thought = 0

    async def live(self) -> None:
        """Never raises but when the task is cancelled."""
        try:
            async with asyncio.timeout(self._options.run_ttl):
                await self._act()
        except CompletionStops as stops:
            self._kept.finish(stops.reason, self._usage())
        except ApiError as failure:
            self._kept.fail(failure)
        except TimeoutError:
            self._kept.fail(_timed_out())
        except Exception:
            logger.exception("%s failed", self._kept.id)
            self._kept.fail(server_error())

    async def _act(self) -> None:
        first = None if self._script and isinstance(self._script[0], CallFunctions) else ""
        self._kept.message["content"] = first
        self._kept.add({"role": "assistant", "content": first, "refusal": None})
        await asyncio.sleep(self._pace)
        for action in self._script:
            await self._perform(action)
        raise CompletionStops("stop")

    async def _perform(self, action: Action) -> None:
        match action:
            case Say(text):
                await self._say(text, "content")
            case Refuse(text):
                self._kept.message["content"] = None
                await self._say(text, "refusal")
            case CiteUrl():
                await self._cite(action)
            case NewMessage():
                await self._say(BETWEEN_MESSAGES, "content")
            case Think(summary):
                # What a model thinks is not shown in this protocol, but it is counted.
                self._thought += sum(map(len, summary))
            case CallFunctions(calls):
                await self._call(calls)
                raise CompletionStops("tool_calls")
            case Pace(seconds):
                self._pace = seconds
            case Wait(seconds):
                await asyncio.sleep(seconds)
            case _:
                await self._happen(action)

    async def _happen(self, action: Action) -> None:
        """What goes wrong: a completion has no state of its own to fail in, so the request does."""
        match action:
            case Hang():
                await asyncio.Event().wait()
            case CutConnection():
                self._kept.break_off()
                await asyncio.Event().wait()
            case Fail(fault, message) if fault is Fault.RATE_LIMIT:
                raise ApiError(429, message, kind="requests", code=fault)
            case Fail(_, message):
                raise ApiError(500, message, kind="server_error")
            case StreamError(message):
                raise ApiError(503, message, kind="service_unavailable_error", code="server_is_overloaded")
            case Expire():
                raise _timed_out()
            case CutShort(reason):
                raise CompletionStops(reason)

    async def _say(self, text: str, field: str) -> None:
        for piece in pieces(text):
            self._kept.message[field] = (self._kept.message[field] or "") + piece
            self._kept.add({field: piece}, piece)
            await asyncio.sleep(self._pace)

    async def _cite(self, action: CiteUrl) -> None:
        start = len(self._kept.message["content"] or "")
        await self._say(action.text, "content")
        annotation = {
            "type": "url_citation",
            "url_citation": {
                "start_index": start,
                "end_index": len(self._kept.message["content"]),
                "title": action.source.title,
                "url": action.source.url,
            },
        }
        self._kept.message["annotations"].append(annotation)
        self._kept.add({"annotations": [annotation]})

    async def _call(self, calls: tuple[Call, ...]) -> None:
        made: list[dict[str, Any]] = []
        if not self._kept.message["content"]:
            self._kept.message["content"] = None
        self._kept.message["tool_calls"] = made
        for index, call in enumerate(calls):
            function = {"name": call.name, "arguments": ""}
            made.append({"id": new_id("call_"), "type": "function", "function": function})
            self._kept.add({"tool_calls": [{"index": index, **made[-1]}]})
            for piece in pieces(call.arguments):
                function["arguments"] += piece
                more = {"index": index, "function": {"arguments": piece}}
                self._kept.add({"tool_calls": [more]}, piece)
                await asyncio.sleep(self._pace)

    def _usage(self) -> Usage:
        message = self._kept.message
        called = "".join(call["function"]["arguments"] for call in message.get("tool_calls", ()))
        said = "".join((message["content"] or "", message["refusal"] or "", called))
        read, written = tokens_of(self._known), tokens(len(said) + self._thought)
        return Usage(
            prompt_tokens=read,
            completion_tokens=written,
            total_tokens=read + written,
            prompt_tokens_details={"cached_tokens": 0},
            completion_tokens_details={"reasoning_tokens": self._thought // 4},
        )


def _timed_out() -> ApiError:
    return ApiError(504, "The request timed out.", kind="server_error")
