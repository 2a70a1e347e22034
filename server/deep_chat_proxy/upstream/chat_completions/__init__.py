"""Chat Completions, which keeps nothing: the history goes with every message (developers.openai.com/api/reference/chat).

dialect.py makes a turn.py for each message; that sends messages.py, follows the answer (following.py) and sends the
outputs of calls. translate.py turns what the back end says (wire.py) into the events of a turn, tool_calls.py
gathers the calls in it from their pieces.
"""
