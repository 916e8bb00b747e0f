"""HTTP/1.1 on the hot path, both sides: protocol, upstream connections, replies.

Knows nothing of routing or capture: what it serves is given to it as endpoints.
"""
