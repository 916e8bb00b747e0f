"""The names that may be used are those that are counted."""

from __future__ import annotations

from feedback.kpis.effects import exchange_values
from feedback.kpis.names import COMPUTED
from tests.feedback.factory import exchange


def test_every_name_is_computed_and_every_computed_value_has_its_name() -> None:
    said = exchange(status=200, ttft=0.1, completion_tokens=3, flagged=True, degraded="guard")
    computed = set(exchange_values(said))
    quantiles = {f"{kpi}_{q}" for kpi in ("latency", "ttft") for q in ("p50", "p99")}
    assert set(COMPUTED) == computed | quantiles
