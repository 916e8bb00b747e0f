"""Breakers of users: bounded in number, the closed ones forgotten first."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from serving.breaker.config import UserBreakerConfig
from serving.breaker.machine import CallOutcome
from serving.breaker.users import MOST_NAMED, UserBreakers, user_name

GOOD, BAD, UNKNOWN = CallOutcome.GOOD, CallOutcome.BAD, CallOutcome.UNKNOWN


class Stopwatch:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def asked(breakers: UserBreakers, user: str, outcome: CallOutcome, tenant: str = "t") -> bool:
    """One request; whether it was let through."""
    call = breakers.begin(tenant, user)
    if call is not None:
        call.end(outcome)
    return call is not None


def attacked(breakers: UserBreakers, user: str, tenant: str = "t") -> int:
    """Attacks until the breaker opens."""
    for number in range(1, 1000):
        asked(breakers, user, BAD, tenant)
        if breakers.begin(tenant, user) is None:
            return number
    raise AssertionError("it never opened")


def test_who_attacks_is_cut_off_and_nobody_else() -> None:
    told: list[tuple[str, float]] = []
    breakers = UserBreakers(UserBreakerConfig(), Stopwatch(), lambda name, seconds: told.append((name, seconds)))
    assert attacked(breakers, "mallory") == breakers.config.calls
    assert asked(breakers, "ada", GOOD)
    assert asked(breakers, "mallory", GOOD, tenant="other")
    assert told == [(user_name("t", "mallory"), 60.0)]
    assert breakers.open_names() == [user_name("t", "mallory")]
    assert breakers.counts() == {"closed": 2, "open": 1}
    assert breakers.openings == 1


def test_one_attack_among_many_requests_opens_nothing() -> None:
    breakers = UserBreakers(UserBreakerConfig(), Stopwatch())
    for number in range(100):
        assert asked(breakers, "ada", BAD if number % 3 == 2 else GOOD)


def test_after_the_pause_a_few_are_judged_and_close_it_or_open_it_for_longer() -> None:
    watch = Stopwatch()
    breakers = UserBreakers(UserBreakerConfig(), watch)
    attacked(breakers, "mallory")
    watch.now += 60
    probes = [breakers.begin("t", "mallory") for _ in range(3)]
    assert [probe is not None for probe in probes] == [True, True, False]
    assert probes[0] is not None
    probes[0].end(BAD)
    watch.now += 119
    assert not asked(breakers, "mallory", GOOD)
    watch.now += 1
    assert asked(breakers, "mallory", UNKNOWN)
    assert asked(breakers, "mallory", GOOD)
    assert asked(breakers, "mallory", GOOD)
    assert breakers.counts() == {"closed": 1}


def test_a_call_that_was_told_of_once_is_over() -> None:
    breakers = UserBreakers(UserBreakerConfig(calls=2), Stopwatch())
    call = breakers.begin("t", "ada")
    assert call is not None
    for _ in range(9):
        call.end(BAD)
    assert asked(breakers, "ada", GOOD)


def test_a_whole_tenant_is_cut_off_only_where_that_is_wanted() -> None:
    for tenant_calls, through in ((None, True), (20, False)):
        breakers = UserBreakers(UserBreakerConfig(tenant_calls=tenant_calls), Stopwatch())
        for number in range(20):
            asked(breakers, f"user {number}", BAD)
        assert asked(breakers, "ada", GOOD) is through
        assert asked(breakers, "ada", GOOD, tenant="other")


def test_a_hundred_thousand_users_are_bounded_and_the_open_ones_stay() -> None:
    breakers = UserBreakers(UserBreakerConfig(users=1000), Stopwatch())
    for number in range(30):
        attacked(breakers, f"mallory {number}")
    for number in range(100_000):
        asked(breakers, f"user {number}", GOOD)
    counts = breakers.counts()
    assert counts == {"closed": 970, "open": 30}
    assert all(breakers.begin("t", f"mallory {number}") is None for number in range(30))
    assert len(breakers.open_names()) == MOST_NAMED


def test_of_those_who_are_not_cut_off_whoever_did_not_come_for_longest_is_forgotten() -> None:
    breakers = UserBreakers(UserBreakerConfig(users=3, calls=2), Stopwatch())
    for user in ("ada", "bob"):
        asked(breakers, user, BAD)
    for user in ("cy", "ada", "dan"):
        asked(breakers, user, UNKNOWN)
    for user in ("ada", "bob"):
        asked(breakers, user, BAD)
    assert breakers.open_names() == [user_name("t", "ada")], "the first attack of bob is forgotten"


def test_what_others_tell_holds_here_and_can_be_taken_back() -> None:
    watch = Stopwatch()
    breakers = UserBreakers(UserBreakerConfig(), watch)
    name = user_name("t", "mallory")
    breakers.strike(name, 10.0)
    assert not asked(breakers, "mallory", GOOD)
    breakers.strike(name, 200.0)
    watch.now += 199
    assert not asked(breakers, "mallory", GOOD)
    assert breakers.release(name)
    assert asked(breakers, "mallory", GOOD)
    assert not breakers.release(name)
    breakers.strike(name, 1e9)
    watch.now += 900
    assert asked(breakers, "mallory", GOOD), "no longer than the longest pause here"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_whatever_happens_the_number_is_bounded_and_no_open_one_goes_while_a_closed_one_stays(seed: int) -> None:
    chance, watch = random.Random(seed), Stopwatch()
    breakers = UserBreakers(UserBreakerConfig(users=8, calls=2), watch)
    for _ in range(200):
        user = f"u{chance.randint(0, 12)}"
        act = chance.random()
        before = breakers.counts()
        if act < 0.7:
            asked(breakers, user, chance.choice([GOOD, BAD, UNKNOWN]))
        elif act < 0.8:
            breakers.strike(user_name("t", user), chance.uniform(1, 2000))
        elif act < 0.9:
            breakers.release(user_name("t", user))
        else:
            watch.now += chance.choice([1, 70, 1000, -500])
            continue
        after = breakers.counts()
        assert sum(after.values()) <= 8
        lost = before.get("open", 0) + before.get("half_open", 0) - after.get("open", 0) - after.get("half_open", 0)
        assert lost <= 1
