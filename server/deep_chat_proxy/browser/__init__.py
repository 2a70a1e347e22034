"""The Deep Chat side: the only room that knows its wire format.

In: request.py reads what the component sends. Out: stream.py writes a turn as server-sent events
(frames.py), reply.py as one JSON object. chat.py is where a message becomes a turn.
"""
