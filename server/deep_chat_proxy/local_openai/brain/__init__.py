"""What the local assistant says and does: pure, deterministic, and the same behind every dialect.

`conversation.py` is what goes in, `actions.py` what comes out, `reply.py` the way from one to the
other: the first `Entry` (`entry.py`) whose pattern fits the visitor's message. The entries stand with
what they do: `mishaps.py` (whatever can go wrong at a real back end), `tool_calls.py` and `weather.py`
(functions), `hosted.py` (web search and MCP servers), `making.py` (files that the assistant makes; `png.py` draws), `reading.py` (files it was
given; `sniff.py` looks inside, `listening.py` listens), `showcase.py` (Markdown, long texts, Unicode) and `talk.py`.

Nothing here waits, speaks HTTP or keeps anything between two replies.
"""

from deep_chat_proxy.local_openai.brain.reply import reply

__all__ = ["reply"]
