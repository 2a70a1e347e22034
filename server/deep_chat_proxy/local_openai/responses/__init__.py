"""The Responses dialect, with Conversations and containers.

`requests.py`, `tools.py` and `content.py` are what comes in, `objects.py` what goes out; `new_items.py` leads
from one to the other, `shown.py` says what of it is shown to whom. `kept.py` is what stays in memory.
`routes.py` leads to `starting.py`, `responses.py`, `conversations.py`, `conversation_items.py` and
`container_files.py`.

A new response finds what it stands on (`context.py`), tells the brain what was said (`scene.py`), and lives in a
task of its own (`life.py`, `endings.py`): `message_writer.py`, `function_calls.py`, `reasoning.py`, `hosted.py`
and `mcp.py` perform what the brain answers, upon the `stage.py` that they share.
"""
