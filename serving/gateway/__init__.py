"""The data plane: parse, assign, forward bytes, copy aside.

The completion endpoints live in the protocol (`protocol.py`, `request.py`); everything else in `app.py`.
Nothing here waits for Redis, a disk or a lock on the request path.
"""
