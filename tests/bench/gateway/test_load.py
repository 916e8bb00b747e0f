"""What a page of metrics says was lost, and how much slower a load must be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.gateway.load import GatewayResult, Workload, dropped_of, late, paced, slower

PAGE = """understudy_gateway_events_total{event="capture_dropped"} 3
understudy_gateway_events_total{event="fallback"} 9
understudy_gateway_outbox_dropped_queue 4
understudy_gateway_outbox_dropped_spool 0
understudy_gateway_outbox_lost 1
understudy_gateway_outbox_stored 1e+06
"""
FAST = GatewayResult(2000.0, 8.0, 9.0, 30.0, 20.0, 1.0, 0, 0, 10_000, seconds=5.0)


def test_every_way_to_lose_an_event_counts() -> None:
    assert dropped_of(PAGE) == 8
    assert dropped_of("") == 0


def test_a_workload_says_what_it_is() -> None:
    assert [str(one) for one in (Workload(512, 0, 1), Workload(8 << 10, 32, 16))] == [
        "short, 0.5 KB, c=1", "stream of 32, 8 KB, c=16",
    ]  # fmt: skip


def test_a_load_is_too_fast_where_events_are_dropped_or_stored_long_after_it() -> None:
    assert [late(one) for one in (FAST, replace(FAST, behind=0.4), replace(FAST, behind=0.6), replace(FAST, dropped=1))
            ] == [False, False, True, True]  # fmt: skip


def test_the_next_load_asks_for_less_than_was_stored() -> None:
    behind = replace(FAST, behind=5.0)
    pause = slower(behind, 16)
    assert 16 / pause * 1000 < 10_000 / 10, "of what was stored in all the time it took"
    paced = replace(behind, paused=pause, p50=2.0, per_second=1000.0, behind=0.0, dropped=1)
    assert slower(paced, 16) >= pause + 1
    assert slower(replace(FAST, stored=0), 1) == 1000.0, "a candidate that stored nothing"


@pytest.mark.parametrize("most", [300.0, 900.0, 1500.0])
def test_the_highest_rate_without_a_drop_is_looked_for_from_both_sides(most: float) -> None:
    asked: list[float] = []

    def look(pause: float) -> GatewayResult:
        """16 connections whose replies take 8 ms, of which some are lost above `most` a second."""
        rate = 16_000 / (8.0 + pause)
        asked.append(rate)
        stored = min(rate, 0.5 * most if rate > most else rate)
        return GatewayResult(rate, 8.0, 9.0, 1.0, 1.0, 1.0, 0, int(rate > most), int(5 * stored), 5.0, paused=pause)

    found = 16_000 / (8.0 + paced(look, Workload(512, 0, 16), 0.0))
    assert 0.75 * most < found <= most
    assert len(asked) <= 7


def test_a_rate_that_is_stored_is_not_looked_for() -> None:
    seen: list[float] = []
    assert paced(lambda pause: seen.append(pause) or FAST, Workload(512, 0, 16), 3.0) == 3.0  # type: ignore[func-returns-value]
    assert seen == [3.0]
