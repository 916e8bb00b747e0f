"""Buckets of a minute's worth: what passes, what is left, and when to come again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.gateway.config import TenantLimits
from serving.gateway.tenants.levels import (
    MINUTE,
    duration,
    filled,
    full,
    header_lines,
    seconds_until,
    settled,
    taken,
)

LIMITS = TenantLimits(requests_per_minute=6, tokens_per_minute=600, max_concurrent=3)
ASKED = st.lists(st.tuples(st.floats(0, 30), st.integers(0, 900), st.booleans()), max_size=60)


def test_a_burst_of_a_minutes_worth_passes_and_then_one_every_so_many_seconds() -> None:
    limits = TenantLimits(requests_per_minute=6)
    levels = full(limits, 0.0)
    for _ in range(6):
        reached, levels = taken(levels, limits, 100, 0.0)
        assert reached == ""
    reached, levels = taken(levels, limits, 100, 0.0)
    assert reached == "requests"
    assert seconds_until("requests", levels, limits, 100) == 10
    assert taken(levels, limits, 100, 9.9)[0] == "requests"
    assert taken(levels, limits, 100, 10.0)[0] == ""
    assert filled(levels, limits, 1000.0).requests == 6


def test_what_was_estimated_too_high_is_given_back_and_what_was_too_low_is_owed() -> None:
    limits = TenantLimits(tokens_per_minute=600)
    _, levels = taken(full(limits, 0.0), limits, 500, 0.0)
    assert taken(levels, limits, 200, 0.0)[0] == "tokens"
    assert seconds_until("tokens", levels, limits, 200) == 10
    assert settled(levels, limits, 450, 0.0).tokens == 550
    assert settled(levels, limits, 450, 60.0).tokens == 600
    owed = settled(levels, limits, -700, 0.0)
    assert owed.tokens == -600
    assert taken(owed, limits, 1, 59.0)[0] == "tokens"
    assert taken(owed, limits, 1, 61.0)[0] == ""


def test_an_estimate_above_the_whole_limit_passes_once_nothing_else_is_used() -> None:
    limits = TenantLimits(tokens_per_minute=600)
    reached, levels = taken(full(limits, 0.0), limits, 10**9, 0.0)
    assert (reached, levels.tokens) == ("", 0)
    assert taken(levels, limits, 10**9, 59.0)[0] == "tokens"
    assert taken(levels, limits, 10**9, 60.0)[0] == ""


def test_as_many_at_once_as_are_let_in() -> None:
    limits = TenantLimits(max_concurrent=2)
    levels = full(limits, 0.0)
    for expected in ("", "", "concurrent"):
        reached, levels = taken(levels, limits, 5, 0.0)
        assert reached == expected
    assert seconds_until("concurrent", levels, limits, 5) == 1
    assert taken(settled(levels, limits, 0, 0.0), limits, 5, 0.0)[0] == ""


@given(ASKED)
def test_in_no_stretch_of_time_does_more_pass_than_the_limits_say(asked: list[tuple[float, int, bool]]) -> None:
    levels, now, passed = full(LIMITS, 0.0), 0.0, []
    for pause, tokens, ends in asked:
        now += pause
        before = levels
        reached, levels = taken(levels, LIMITS, tokens, now)
        if reached:
            assert levels == filled(before, LIMITS, now)  # a refusal takes nothing
        else:
            passed.append((now, min(tokens, 600)))
        if ends and levels.running:
            levels = settled(levels, LIMITS, 0, now)
        assert levels.running <= 3
    for begin in range(len(passed)):
        for end in range(begin + 1, len(passed) + 1):
            part = passed[begin:end]
            minutes = 1 + (part[-1][0] - part[0][0]) / MINUTE
            assert len(part) <= 6 * minutes + 1e-6
            assert sum(tokens for _, tokens in part) <= 600 * minutes + 1e-6


@given(ASKED)
def test_who_waits_as_long_as_told_passes(asked: list[tuple[float, int, bool]]) -> None:
    levels, now = full(LIMITS, 0.0), 0.0
    for pause, tokens, _ in asked:
        now += pause
        reached, levels = taken(levels, LIMITS, tokens, now)
        if reached in ("requests", "tokens"):
            wait = seconds_until(reached, levels, LIMITS, tokens)
            assert taken(levels, LIMITS, tokens, now + wait + 1e-6)[0] != reached
        if levels.running:
            levels = settled(levels, LIMITS, 0, now)


def test_the_fields_of_openai_of_those_limits_that_there_are() -> None:
    _, levels = taken(full(LIMITS, 0.0), LIMITS, 90, 0.0)
    told = b"".join(header_lines(levels, LIMITS)).decode().splitlines()
    assert told == [
        "x-ratelimit-limit-requests: 6", "x-ratelimit-remaining-requests: 5", "x-ratelimit-reset-requests: 10s",
        "x-ratelimit-limit-tokens: 600", "x-ratelimit-remaining-tokens: 510", "x-ratelimit-reset-tokens: 9s",
    ]  # fmt: skip
    assert header_lines(levels, TenantLimits(max_concurrent=1)) == []
    owed = settled(levels, LIMITS, -5000, 0.0)
    assert b"remaining-tokens: 0\r\n" in header_lines(owed, LIMITS)[1]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (-1, "0ms"), (0.0004, "1ms"), (0.12, "120ms"), (1, "1s"), (8.64, "8.64s"), (59.999, "1m0s"),
     (60, "1m0s"), (61.2, "1m2s"), (360, "6m0s")],
)  # fmt: skip
def test_times_as_openai_writes_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
