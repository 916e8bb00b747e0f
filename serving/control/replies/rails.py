"""What the guardrails of a canary say, as part of a reply and as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from serving.control.replies.base import ControlReply

RAILS = ("guardrail", "stable", "candidate", "users", "worse by", "allowed", "verdict")
"""Heads of the table."""


class GuardrailStatus(ControlReply):
    """What a guardrail says of a canary; figures are None where there are too few users for any.

    `lower` and `upper` bound at every look how much worse the candidate is, all guardrails together erring once in
    a hundred rollouts.
    """

    stable: float | None
    candidate: float | None
    worse: float | None
    lower: float | None
    upper: float | None
    users: list[int]
    """Of the stable version and of the candidate."""
    limit: str
    verdict: str
    """harm, safe, open or too few."""


def rail_rows(told: Mapping[str, GuardrailStatus]) -> Iterator[tuple[str, ...]]:
    """Rows under `RAILS`, one a guardrail."""
    for kpi, one in told.items():
        stable, candidate, lower, upper = map(_figure, (one.stable, one.candidate, one.lower, one.upper))
        users = "/".join(map(str, one.users))
        yield kpi, stable, candidate, users, f"{lower} to {upper}", one.limit, one.verdict


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
