"""Assistants v2: threads, messages and runs (developers.openai.com, switched off there on 2026-08-26).

dialect.py makes a turn.py for each message; that posts (message.py, api.py), follows (following.py by
stream, polling.py by asking), and ends what goes on (mending.py). translate.py and answer.py turn what
the back end says (wire.py) into the events of a turn.
"""
