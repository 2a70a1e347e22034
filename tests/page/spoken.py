"""Conversations made through the HTTP API, by the visitor whose page it is; the page itself is told nothing."""

import asyncio

from playwright.async_api import APIResponse

from page.chat_page import ChatPage


async def post(chat: ChatPage, path: str, body: dict[str, object]) -> APIResponse:
    """Post JSON as the page would."""
    site = chat.page.url.rstrip("/")
    answer = await chat.page.request.post(f"{site}/{path}", data=body, headers={"Origin": site})
    assert answer.ok, await answer.text()
    return answer


async def say(chat: ChatPage, text: str, *, thread_id: str = "") -> str:
    """Say something in a thread, or in the current one, and return the answer."""
    thread = {"thread_id": thread_id} if thread_id else {}
    answer = await post(chat, "api/chat", {"messages": [{"role": "user", "text": text}], **thread})
    said: str = (await answer.json())["text"]
    return said


async def say_all(chat: ChatPage, *texts: str) -> None:
    """Say these in the current thread, one after the other."""
    for text in texts:
        await say(chat, text)


async def begin_threads(chat: ChatPage, *texts: str) -> None:
    """Begin a thread with each of these."""
    begun = [(await (await post(chat, "api/threads", {})).json())["thread_id"] for _ in texts]
    await asyncio.gather(*(say(chat, text, thread_id=one) for text, one in zip(texts, begun, strict=True)))
