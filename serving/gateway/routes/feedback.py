"""POST /v1/feedback: one KPI value about a response or a session, durable before it is acknowledged."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from feedback.events import Kpi
from feedback.kpis.config import KpisConfig
from feedback.kpis.names import APPEAL, FEEDBACK
from understudy.errors import BadRequest
from understudy.ids import random_id, stable_id

_FIELDS = ("response_id", "session_id", "kpi", "value", "timestamp", "id")
_LONGEST = 512
_AHEAD = 3600.0
"""Seconds by which a client's clock may be ahead of ours."""


class InvalidFeedback(BadRequest):
    """JSON, but not feedback."""

    status, code = 422, "invalid_feedback"


def parse_feedback(raw: bytes, tenant: str, kpis: KpisConfig, now: float) -> Kpi:
    """The event of a feedback body that came at `now`, in seconds of the epoch.

    Raises:
        BadRequest: not a JSON object (400), or a field is missing or wrong (422, naming it).
    """
    try:
        given = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("the body is not JSON") from None
    if not isinstance(given, dict):
        raise BadRequest("the body must be a JSON object")
    for name in given:
        if name not in _FIELDS:
            raise InvalidFeedback(f"`{name}` is not a field here; use {', '.join(_FIELDS)}", param=name)
    target, session = _target(given)
    kpi = given.get("kpi")
    if kpi not in FEEDBACK and kpi not in kpis.declared and kpi != APPEAL:
        known = ", ".join((*FEEDBACK, APPEAL, *kpis.declared))
        raise InvalidFeedback(f"`kpi` must be one of {known}, not {kpi!r} (kpis.declared adds names)", param="kpi")
    if kpi == APPEAL and given.get("response_id") is None:
        raise InvalidFeedback(f"`{APPEAL}` is about one reply: give its `response_id`", param="response_id")
    value = _value(kpi, given.get("value", True if kpi in ("session_end", APPEAL) else None))
    oldest, newest = now - kpis.late_days * 86400, now + _AHEAD
    at = _number(given.get("timestamp", now), "timestamp")
    if not oldest <= at <= newest:
        raise InvalidFeedback(
            f"`timestamp` is in seconds of the epoch, from {oldest:.0f} ({kpis.late_days:g} days ago) to {newest:.0f}",
            param="timestamp",
        )
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


def _value(kpi: str, given: Any) -> float:
    """The value, within the range of its KPI: one wrong value would spoil a mean of thousands."""
    value = _number(given, "value")
    if kpi not in FEEDBACK and kpi != APPEAL:
        right, allowed = abs(value) <= 1e12, "between -1e12 and 1e12"
    elif kpi == "rating":
        right, allowed = 0 <= value <= 10, "between 0 and 10"
    else:
        right, allowed = value in (0, 1), "0 or 1, false or true"
    if not right:
        raise InvalidFeedback(f"`value` of {kpi} must be {allowed}, not {value:g}", param="value")
    return value


def _number(given: Any, name: str) -> float:
    try:
        value = float(given) if isinstance(given, (int, float)) else math.nan
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise InvalidFeedback(f"`{name}` must be a finite number", param=name)
    return value
