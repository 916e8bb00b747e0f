"""One error tree; the border maps it once, to an HTTP status or to an exit code."""

from __future__ import annotations


class UnderstudyError(Exception):
    """Base of every error that a user may see.

    `message` says what is wrong and what to do about it. `status` is the HTTP status at the
    data plane and control plane, `kind` the OpenAI error type, `code` a stable machine name,
    `exit_code` what the command line returns (1 failed, 2 wrong usage).
    """

    status = 500
    kind = "server_error"
    code = "internal_error"
    exit_code = 1

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        if code is not None:
            self.code = code


class ConfigError(UnderstudyError):
    """A configuration key or value is wrong; nothing starts."""

    status, kind, code, exit_code = 400, "invalid_request_error", "invalid_configuration", 2


class UsageError(UnderstudyError):
    """A command was called wrongly."""

    status, kind, code, exit_code = 400, "invalid_request_error", "invalid_usage", 2


class BadRequest(UnderstudyError):
    """A request that no retry will mend."""

    status, kind, code = 400, "invalid_request_error", "invalid_request"


class TooLarge(UnderstudyError):
    """A body above the bound of who reads it."""

    status, kind, code = 413, "invalid_request_error", "request_too_large"


class Unauthorized(UnderstudyError):
    """No key or token, or one that is not known."""

    status, kind, code = 401, "invalid_request_error", "invalid_api_key"


class NotFound(UnderstudyError):
    """A model, version, route or record that does not exist."""

    status, kind, code = 404, "invalid_request_error", "not_found"


class Conflict(UnderstudyError):
    """Another operation of the same sort is under way."""

    status, kind, code = 409, "conflict_error", "conflict"


class Unavailable(UnderstudyError):
    """A part that is needed is away; a later attempt may succeed."""

    status, kind, code = 503, "service_unavailable_error", "unavailable"


class IntegrityError(UnderstudyError):
    """An artefact is not what its manifest or chain says; it is never used."""

    status, kind, code = 409, "integrity_error", "integrity"


class IllegalTransition(UnderstudyError):
    """A state machine was given an event that its table does not hold; nothing changed."""

    status, kind, code = 409, "conflict_error", "illegal_transition"
