"""What an exchange adds to the KPIs."""

from __future__ import annotations

from feedback.kpis.effects import exchange_values
from tests.feedback.factory import exchange


def test_abnormal_means_the_server_s_fault() -> None:
    assert exchange_values(exchange(1, status=503))["abnormal_termination"] == 1
    assert exchange_values(exchange(1, finish_reason="error"))["abnormal_termination"] == 1
    assert exchange_values(exchange(1, status=429))["abnormal_termination"] == 0
    assert "latency" not in exchange_values(exchange(1, status=503))
