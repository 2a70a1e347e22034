"""The Assistants v2 dialect.

`requests.py` is what comes in, `objects.py` what goes out; `kept.py` is a thread and its runs in memory.
`routes.py` leads to `assistants.py`, `threads.py`, `messages.py`, `runs.py` and `steps.py`.

A run lives in a task of its own (`run_life.py`), whoever follows it: `scene.py` tells the brain what was
said, `message_writer.py` and `tool_steps.py` perform what it answers, upon the `stage.py` that they share.
Each event goes to the streams that listen right now (`stream.py`).
"""
