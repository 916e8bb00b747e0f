"""The data plane: parse, assign, forward bytes, copy aside.

`http` is the wire on both sides, `body` the JSON of a request, `completion` the hot path, `routes` all the rest.
Nothing here waits for Redis, a disk or a lock on the request path.
"""
