"""What a client did to its own request on the wire, with the status that it is answered by."""

from __future__ import annotations

from understudy.errors import UnderstudyError


class Unreadable(UnderstudyError):
    """A request that is refused where its head is read, whatever it asks for."""


class HeadTooLarge(Unreadable):
    """The head is above `gateway.max_head`."""

    status, kind, code = 431, "invalid_request_error", "headers_too_large"


class Malformed(Unreadable):
    """Not HTTP, or HTTP that two readers may read differently."""

    status, kind, code = 400, "invalid_request_error", "malformed_request"


class UnknownVersion(Unreadable):
    """A version of HTTP that is not spoken here."""

    status, kind, code = 505, "invalid_request_error", "http_version_not_supported"


class UnknownCoding(Unreadable):
    """A transfer coding other than `chunked`."""

    status, kind, code = 501, "invalid_request_error", "transfer_coding_not_supported"


class TooSlow(UnderstudyError):
    """The client did not send its request in time."""

    status, kind, code = 408, "invalid_request_error", "request_timeout"


class Stopping(UnderstudyError):
    """The gateway stops, and the reply took longer than the drain."""

    status, kind, code = 503, "service_unavailable_error", "stopping"


class TooManyConnections(UnderstudyError):
    """`gateway.max_connections` are open, or as many of them from one address as it may have."""

    status, kind, code = 503, "service_unavailable_error", "too_many_connections"
