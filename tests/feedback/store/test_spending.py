"""Tokens of a day by purpose: counted over restarts, and a cap that ends with the day."""

from __future__ import annotations

import redis

from feedback.store.keys import RedisKeys
from feedback.store.spending import FRESH, Spending, answer_tokens, guessed_tokens, spent_effect, utc_day

NOON = 1_800_000_000.0


def test_they_are_counted_by_purpose_and_day_and_kept_over_a_restart(redis_url: str) -> None:
    now, passed = NOON, 0.0
    keys = RedisKeys("us:")

    def begun(cap: int | None) -> Spending:
        return Spending(redis.Redis.from_url(redis_url), keys, cap, lambda: now, lambda: passed)

    spending = begun(100)
    spending.add("shadow", 40)
    spending.add("scoring", 50)
    assert not spending.over()
    assert spent_effect(keys, "primary", 10, NOON) == ["HINCRBY", "us:spent", f"{utc_day(NOON)}:primary", 10]
    redis.Redis.from_url(redis_url).execute_command(*spent_effect(keys, "primary", 10, NOON))
    passed += FRESH
    assert spending.over()
    assert begun(100).over()
    assert begun(100).today() == {"primary": 10, "shadow": 40, "scoring": 50, "probes": 0}
    assert not begun(None).over()
    now += 86_400
    passed += FRESH
    assert not spending.over()


def test_an_answer_costs_what_it_tells_or_a_token_for_four_bytes_begun() -> None:
    assert answer_tokens(15, [{"content": "x" * 400}], "y") == 15
    assert answer_tokens(0, [], "y" * 15) == guessed_tokens(2 + 15) == 5
    assert answer_tokens(0, [{"content": "\ud800"}], "") > 0
    assert guessed_tokens(0) == 0


def test_a_day_is_that_of_utc() -> None:
    assert (utc_day(0.0), utc_day(86_399.0), utc_day(86_400.0)) == ("1970-01-01", "1970-01-01", "1970-01-02")
