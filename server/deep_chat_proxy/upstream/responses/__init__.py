"""Responses, with Conversations where the server has them (developers.openai.com/api/reference/responses).

dialect.py makes a turn.py for each message; that finds its place.py at the back end (abilities.py knows which kinds
of place there are), sends items.py with tools.py (api.py), follows the answer by stream or by asking (following.py),
and makes good what an earlier turn left (remedies.py). translate.py turns what the back end says (wire.py) into the
events of a turn, made_files.py fetches the files in it.
"""
