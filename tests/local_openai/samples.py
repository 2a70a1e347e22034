"""A text and a picture, as files and as data URLs."""

import base64

from deep_chat_proxy.local_openai.brain.png import bar_chart
from local_openai.wire import Local

NOTES = b"The meeting is on Tuesday.\n"
PNG = bar_chart([1, 2])
PNG_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()
NOTES_URL = "data:text/plain;base64," + base64.b64encode(NOTES).decode()


async def upload(local: Local, name: str, data: bytes) -> str:
    return (await local.client.files.create(file=(name, data), purpose="user_data")).id
