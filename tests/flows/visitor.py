"""A visitor of the chat: sends what Deep Chat sends, and reads what it would show."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy

WAIT = 30.0
"""Seconds after which a test gives up."""
STREAM = {"Accept": "text/event-stream"}
Fields = Mapping[str, Any]


class SentFile(NamedTuple):
    """A file as a page attaches it."""

    name: str
    data: bytes
    media_type: str = "application/octet-stream"


CSV = SentFile("cities.csv", b"city,celsius\r\nParis,21\r\n", "text/csv")
DISPOSITION = "attachment; filename=\"cities.csv\"; filename*=UTF-8''cities.csv"
"""How the assistant's table is given out."""


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def is_stream(self) -> bool:
        return self.headers.get("Content-Type", "").startswith("text/event-stream")

    @property
    def events(self) -> list[dict[str, Any]]:
        return events_in(self.body)

    @property
    def json(self) -> dict[str, Any]:
        found = json.loads(self.body)
        assert isinstance(found, dict), found
        return found

    @property
    def parts(self) -> list[dict[str, Any]]:
        """What carries the answer: the events of a stream, or the one object."""
        return self.events if self.is_stream else [self.json]

    @property
    def text(self) -> str:
        return shown_text(self.parts)

    @property
    def plain_text(self) -> str:
        """The text with addresses of files that no two answers have in common."""
        return re.sub(r"/api/files/[\w-]+/", "/api/files/ID/", self.text)

    @property
    def error(self) -> str | None:
        """The error, which is the last thing that is said where there is one."""
        found: str | None = self.parts[-1].get("error")
        return found

    @property
    def files(self) -> list[dict[str, str]]:
        return [file for part in self.parts for file in part.get("files", ())]

    @property
    def turn_id(self) -> str:
        """The turn that it is the answer of."""
        found = {part["turn_id"] for part in self.parts if "turn_id" in part}
        (turn_id,) = found
        assert isinstance(turn_id, str)
        return turn_id

    @property
    def thread_id(self) -> str:
        """The thread that every part of the answer names."""
        (thread_id,) = {part["thread_id"] for part in self.parts}
        assert isinstance(thread_id, str)
        return thread_id


def events_in(body: bytes) -> list[dict[str, Any]]:
    """The data of the whole events in a stream, each of which must be a JSON object."""
    found = []
    for block in body.replace(b"\r\n", b"\n").split(b"\n\n")[:-1]:
        lines = [line.removeprefix(b"data:") for line in block.split(b"\n") if line.startswith(b"data:")]
        if lines:
            event = json.loads(b"\n".join(lines))
            assert isinstance(event, dict), event
            found.append(event)
    return found


def last_event_id(body: bytes) -> str | None:
    """The id of the last event in a stream that has one."""
    ids = re.findall(rb"^id: (.+)$", body, re.MULTILINE)
    return ids[-1].decode() if ids else None


def shown_text(parts: Sequence[Fields]) -> str:
    """The text in the bubble after all of these, as Deep Chat puts it together."""
    text = ""
    for part in parts:
        if piece := part.get("text"):
            text = piece if part.get("overwrite") else text + piece
    return text


class Visitor:
    """One browser: a cookie jar, and connections to the server at `url`."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str, jar: aiohttp.CookieJar | None = None) -> AsyncIterator["Visitor"]:
        """A browser with the cookies of `jar`, or with none."""
        jar = aiohttp.CookieJar(unsafe=True) if jar is None else jar
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            yield cls(url, session)

    @property
    def jar(self) -> aiohttp.CookieJar:
        jar = self.session.cookie_jar
        assert isinstance(jar, aiohttp.CookieJar)
        return jar

    async def say(
        self,
        text: str | None,
        *files: SentFile,
        stream: bool = False,
        thread_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a message and read the whole answer; `text` None sends files alone."""
        async with (
            asyncio.timeout(WAIT),
            self.saying(text, *files, stream=stream, thread_id=thread_id, headers=headers) as response,
        ):
            return await answer_of(response)

    @asynccontextmanager
    async def saying(
        self,
        text: str | None,
        *files: SentFile,
        stream: bool = True,
        thread_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a message; leaving before the end of the answer closes the connection, as Deep Chat's Stop does."""
        body = form(text, files, thread_id) if files else json_body(text, thread_id)
        accept = STREAM if stream else {"Accept": "*/*"}
        async with self.session.post(
            f"{self.url}/api/chat", headers={**accept, **(headers or {})}, **body
        ) as response:
            yield response

    async def resume(self, last_event_id: str | None = None) -> Answer:
        """Follow the turn that goes on or has just ended, behind an event where one is named."""
        headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
        url = f"{self.url}/api/chat/resume"
        async with asyncio.timeout(WAIT), self.session.get(url, headers=headers) as response:
            return await answer_of(response)

    async def post(self, path: str, body: object = None) -> Answer:
        async with asyncio.timeout(WAIT), self.session.post(self.url + path, json=body) as response:
            return await answer_of(response)

    async def get(self, address: str) -> Answer:
        """Fetch a path, or a whole URL."""
        url = address if address.startswith("http") else self.url + address
        async with asyncio.timeout(WAIT), self.session.get(url) as response:
            return await answer_of(response)


async def answer_of(response: aiohttp.ClientResponse) -> Answer:
    return Answer(response.status, CIMultiDictProxy(CIMultiDict(response.headers)), await response.read())


async def read_until_cut(response: aiohttp.ClientResponse) -> bytes:
    """What comes of an answer until its connection breaks, or it ends."""
    body = b""
    async with asyncio.timeout(WAIT):
        try:
            while chunk := await response.content.readany():
                body += chunk
        except (aiohttp.ClientError, OSError):
            pass
    return body[: body.rfind(b"\n\n") + 2]


async def read_events(response: aiohttp.ClientResponse, count: int) -> list[dict[str, Any]]:
    """The first events of a stream, at least `count` of them."""
    body = b""
    async with asyncio.timeout(WAIT):
        while len(found := events_in(body)) < count:
            chunk = await response.content.readany()
            assert chunk, f"the stream ended after {len(found)} events"
            body += chunk
    return found


async def read_until_text(response: aiohttp.ClientResponse, wanted: str) -> str:
    """Read a stream until its text holds `wanted`."""
    body = b""
    async with asyncio.timeout(WAIT):
        while wanted not in (text := shown_text(events_in(body))):
            chunk = await response.content.readany()
            assert chunk, f"the stream ended with {text!r}"
            body += chunk
    return text


async def rest_of(response: aiohttp.ClientResponse) -> list[dict[str, Any]]:
    """The events that a stream still brings until its end."""
    async with asyncio.timeout(WAIT):
        return events_in(await response.read())


def json_body(text: str | None, thread_id: str | None) -> dict[str, Any]:
    message = {"role": "user"} if text is None else {"role": "user", "text": text}
    body: dict[str, Any] = {"messages": [message]}
    return {"json": body if thread_id is None else {**body, "thread_id": thread_id}}


def form(text: str | None, files: Sequence[SentFile], thread_id: str | None) -> dict[str, Any]:
    """A form as Deep Chat writes it: files, the message without them, then what an interceptor appends."""
    data = aiohttp.FormData(quote_fields=False)
    for file in files:
        data.add_field("files", file.data, filename=file.name, content_type=file.media_type)
    if text is not None:
        data.add_field("message1", json.dumps({"role": "user", "text": text}))
    if thread_id is not None:
        data.add_field("thread_id", json.dumps(thread_id))
    return {"data": data}
