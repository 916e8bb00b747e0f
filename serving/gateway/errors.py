"""Errors of the data plane beside those of `understudy.errors` and of the wire, with the status of each."""

from __future__ import annotations

from understudy.errors import UnderstudyError


class TooMany(UnderstudyError):
    """`gateway.max_concurrent` requests are in flight."""

    status, kind, code = 429, "rate_limit_error", "too_many_requests"


class TooBusy(UnderstudyError):
    """`gateway.max_buffered` bytes of bodies are held."""

    status, kind, code = 503, "service_unavailable_error", "too_busy"


class StageTimeout(UnderstudyError):
    """The stages before the engine is asked took longer than an engine may take to begin its reply."""

    status, kind, code = 503, "timeout_error", "stage_timeout"


class BadGateway(UnderstudyError):
    """The engine could not be reached, or broke off before it answered."""

    status, kind, code = 502, "server_error", "upstream_error"


class GatewayTimeout(UnderstudyError):
    """The engine did not begin its reply in time."""

    status, kind, code = 504, "timeout_error", "upstream_timeout"
