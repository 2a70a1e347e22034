"""The Chat Completions dialect, which keeps nothing: each request brings all that was said.

`requests.py` is what comes in, `objects.py` what goes out. `completions.py` takes a request: `scene.py` checks
its messages and tells the brain what was said, `life.py` performs what that answers, piece by piece into a
`kept.py`, from which the stream and the whole answer are made.
"""
