"""Errors of the data plane beside those of `understudy.errors` and of the wire, with the status of each."""

from __future__ import annotations

from typing import Literal

from understudy.errors import UnderstudyError


class TooMany(UnderstudyError):
    """`gateway.max_concurrent` requests are in flight."""

    status, kind, code = 429, "rate_limit_error", "too_many_requests"


class RateLimited(UnderstudyError):
    """A limit of the tenant's is reached; said as OpenAI says it."""

    status, code = 429, "rate_limit_exceeded"

    def __init__(self, kind: str, message: str, seconds: int) -> None:
        """`kind`: of the limit, such as `requests`; `seconds` after which the request may pass."""
        super().__init__(message)
        self.kind = kind
        self.seconds = seconds


class TooBusy(UnderstudyError):
    """`gateway.max_buffered` bytes of bodies are held."""

    status, kind, code = 503, "service_unavailable_error", "too_busy"


class StageTimeout(UnderstudyError):
    """The stages before the engine is asked took longer than an engine may take to begin its reply."""

    status, kind, code = 503, "timeout_error", "stage_timeout"


class UnknownEncoding(UnderstudyError):
    """A body in a content coding."""

    status, kind, code = 415, "invalid_request_error", "unsupported_content_encoding"


def check_encoding(given: str) -> None:
    """Refuse a body that is encoded.

    Raises:
        UnknownEncoding: the field `content-encoding` says so.
    """
    if given and given.strip().lower() != "identity":
        raise UnknownEncoding("send the body without a content-encoding: none is known here")


class BadGateway(UnderstudyError):
    """The engine could not be reached, or broke off before it answered."""

    status, kind, code = 502, "server_error", "upstream_error"


class EngineFailed(UnderstudyError):
    """An engine answered 5xx by something else than JSON: its status passes, and when to come again."""

    kind, code = "server_error", "upstream_error"

    def __init__(self, status: int, lines: list[bytes]) -> None:
        """`lines`: header lines of the engine's that pass, with their ends."""
        super().__init__(f"the engine answered {status}")
        self.status = status
        self.lines = lines


class DeadlineExceeded(UnderstudyError):
    """The request's own deadline is over; its engine is at work for it no more."""

    status, kind, code = 504, "timeout_error", "deadline_exceeded"


class GatewayTimeout(UnderstudyError):
    """The engine did not begin its reply in time."""

    status, kind, code = 504, "timeout_error", "upstream_timeout"


class Degraded(UnderstudyError):
    """No engine is asked: the client gets the pre-built reply, which is no error to it; `cause` as its header says."""

    status, kind, code = 200, "degraded", "degraded"

    def __init__(self, cause: Literal["guard", "breaker", "deadline"]) -> None:
        super().__init__(f"answered by the degraded reply ({cause})")
        self.cause = cause
