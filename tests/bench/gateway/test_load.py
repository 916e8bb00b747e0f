"""What a page of metrics says was lost."""

from __future__ import annotations

from bench.gateway.load import Workload, dropped_of

PAGE = """understudy_gateway_events_total{event="capture_dropped"} 3
understudy_gateway_events_total{event="fallback"} 9
understudy_gateway_outbox_dropped_queue 4
understudy_gateway_outbox_dropped_spool 0
understudy_gateway_outbox_lost 1
understudy_gateway_outbox_stored 1e+06
"""


def test_every_way_to_lose_an_event_counts() -> None:
    assert dropped_of(PAGE) == 8
    assert dropped_of("") == 0


def test_a_workload_says_what_it_is() -> None:
    assert [str(one) for one in (Workload(512, False, 1), Workload(8 << 10, True, 16))] == [
        "short, 0.5 KB, c=1", "stream, 8 KB, c=16",
    ]  # fmt: skip
