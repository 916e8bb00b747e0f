"""What a client did to its own request on the wire, with the status that it is answered by."""

from __future__ import annotations

from understudy.errors import UnderstudyError


class HeadTooLarge(UnderstudyError):
    """The head is above `gateway.max_head`."""

    status, kind, code = 431, "invalid_request_error", "headers_too_large"


class Malformed(UnderstudyError):
    """Not HTTP, or HTTP that two readers may read differently."""

    status, kind, code = 400, "invalid_request_error", "malformed_request"


class TooSlow(UnderstudyError):
    """The client did not send its request in time."""

    status, kind, code = 408, "invalid_request_error", "request_timeout"


class Stopping(UnderstudyError):
    """The gateway stops, and the reply took longer than the drain."""

    status, kind, code = 503, "service_unavailable_error", "stopping"
