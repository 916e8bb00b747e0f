"""POST /v1/feedback: one KPI value about a response or a session, durable before it is acknowledged."""

from __future__ import annotations

import math
import time
from typing import Any

import msgspec

from feedback.events import Kpi
from feedback.kpi_names import FEEDBACK
from understudy.errors import BadRequest
from understudy.ids import random_id, stable_id

_FIELDS = ("response_id", "session_id", "kpi", "value", "timestamp", "id")
_LONGEST = 512


class InvalidFeedback(BadRequest):
    """JSON, but not feedback."""

    status, code = 422, "invalid_feedback"


def parse_feedback(raw: bytes, tenant: str, declared: tuple[str, ...]) -> Kpi:
    """The event of a feedback body.

    Raises:
        BadRequest: not a JSON object (400), or a field is missing or wrong (422, naming it).
    """
    try:
        given = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise BadRequest("the body must be a JSON object")
    for name in given:
        if name not in _FIELDS:
            raise InvalidFeedback(f"`{name}` is not a field here; use {', '.join(_FIELDS)}", param=name)
    target, session = _target(given)
    kpi = given.get("kpi")
    if kpi not in FEEDBACK and kpi not in declared:
        known = ", ".join((*FEEDBACK, *declared))
        raise InvalidFeedback(f"`kpi` must be one of {known}, not {kpi!r} (kpis.declared adds names)", param="kpi")
    value = _number(given.get("value", True if kpi == "session_end" else None), "value")
    at = _number(given.get("timestamp", time.time()), "timestamp")
    own = given.get("id")
    if own is not None and not isinstance(own, str):
        raise InvalidFeedback("`id` must be a string", param="id")
    identity = random_id() if own is None else stable_id("feedback", tenant, own)
    return Kpi(id=identity, session=session, tenant=tenant, at=at, kpi=kpi, value=value, target=target)


def _target(given: dict[str, Any]) -> tuple[str, str]:
    """What the value is about, and the key under which it is ordered."""
    names = [name for name in ("response_id", "session_id") if given.get(name) is not None]
    if len(names) != 1:
        raise InvalidFeedback("give either `response_id` or `session_id`", param="response_id")
    value = given[names[0]]
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
        raise InvalidFeedback(f"`{names[0]}` must be a string of 1 to {_LONGEST} characters", param=names[0])
    if names[0] == "session_id":
        return f"session:{value}", value
    return value, f"response:{value}"


def _number(value: Any, name: str) -> float:
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InvalidFeedback(f"`{name}` must be a finite number, not {value!r}", param=name)
    return float(value)
