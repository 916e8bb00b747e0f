"""Errors of the data plane beside those of `understudy.errors`, with the status that each is answered by."""

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


class TooMany(UnderstudyError):
    """`gateway.max_concurrent` requests are in flight."""

    status, kind, code = 429, "rate_limit_error", "too_many_requests"


class TooBusy(UnderstudyError):
    """`gateway.max_buffered` bytes of bodies are held."""

    status, kind, code = 503, "service_unavailable_error", "too_busy"


class BadGateway(UnderstudyError):
    """The engine could not be reached, or broke off before it answered."""

    status, kind, code = 502, "server_error", "upstream_error"


class GatewayTimeout(UnderstudyError):
    """The engine did not begin its reply in time."""

    status, kind, code = 504, "timeout_error", "upstream_timeout"


class Stopping(UnderstudyError):
    """The gateway stops, and the reply took longer than the drain."""

    status, kind, code = 503, "service_unavailable_error", "stopping"
