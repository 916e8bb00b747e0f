"""The share of the time: never falls, ends when time or tokens do, and is moved by tokens between plans alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from online_distill.train.rate import rate
from online_distill.train.schedule import CALIBRATION_SHARE, TIMED_STEPS, UNTIMED_STEPS, Bounds, Schedule

TOKENS = 600


def schedule(seconds: float = 100.0, least: float = 0.0, most: float = 1e9) -> Schedule:
    return Schedule(Bounds(seconds=seconds, least=least, most=most))


def run(clock: Schedule, paces: Iterator[float], every: float = 10.0) -> list[float]:
    """Steps of `TOKENS` until it is over, planned again every `every` seconds; the share before each step."""
    shares, saved = list[float](), 0.0
    while not clock.over:
        shares.append(clock.share)
        clock.advance(len(shares) - 1, TOKENS, next(paces))
        if clock.spent - saved >= every:
            clock.plan(len(shares))
            saved = clock.spent
    return shares


def always(*seconds: float) -> Iterator[float]:
    """These, and the last of them for ever."""
    yield from seconds
    while True:
        yield seconds[-1]


def test_a_steady_run_uses_its_time_and_is_planned_right() -> None:
    clock = schedule()
    shares = run(clock, always(3.0, 0.5))
    assert clock.spent == pytest.approx(100.0, abs=1.0)
    assert clock.plans[0][1] == pytest.approx(len(shares) * TOKENS, rel=0.05)


def test_steps_that_are_slow_at_first_do_not_mislead_the_plan() -> None:
    clock = schedule()
    shares = run(clock, always(20.0, 2.4, 0.3))
    assert clock.plans[0][1] / (len(shares) * TOKENS) == pytest.approx(1.0, abs=0.5)


def test_the_last_rounds_pace_is_planned_by_while_the_machine_is_busy() -> None:
    """As measured: 2.43 s a step for half a minute, then 0.3; planned were 34 steps and 326 were done."""
    clock = schedule()
    clock.plan(0, 0.35 / TOKENS)
    shares = run(clock, always(*[2.43] * 12, 0.3))
    done = len(shares) * TOKENS
    assert clock.spent == pytest.approx(100.0, abs=3.0)
    assert 1 / 1.5 < clock.plans[0][1] / done < 1.5


@given(paces=st.lists(st.floats(0.01, 5.0), min_size=5, max_size=60), hint=st.none() | st.floats(1e-5, 1e-2))
def test_the_rate_never_rises_after_the_warm_up_whatever_the_pace(paces: list[float], hint: float | None) -> None:
    clock = schedule(seconds=30.0, least=5 * TOKENS, most=400 * TOKENS)
    if hint is not None:
        clock.plan(0, hint)
    shares = run(clock, always(*paces), every=2.0)
    assert shares == sorted(shares)
    rates = [rate(step, share, 3) for step, share in enumerate(shares)]
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert clock.tokens >= 5 * TOKENS


def test_tokens_at_most_and_at_least_bound_a_run() -> None:
    assert len(run(schedule(most=20 * TOKENS), always(0.01))) == 20
    assert len(run(schedule(seconds=5.0, least=24 * TOKENS), always(4.0))) == 24


def test_the_schedule_ends_where_the_tokens_do() -> None:
    clock = schedule(seconds=1e6, most=200 * TOKENS)
    shares = run(clock, always(0.5))
    assert 0.99 < shares[-1] < 1.0


def test_between_plans_the_share_is_a_function_of_the_tokens() -> None:
    one, other = schedule(), schedule()
    for clock, seconds in ((one, 0.1), (other, 7.0)):
        clock.plan(0, 1e-3)
        for step in range(10):
            clock.advance(step, TOKENS, seconds)
    assert one.share == other.share > 0


@pytest.mark.parametrize("later", [1.0, 0.3])
def test_the_plan_stands_within_half_of_what_is_done_when_the_machine_becomes_slower_or_faster_midway(
    later: float,
) -> None:
    clock = schedule()
    clock.plan(0, 0.5 / TOKENS)
    done = len(run(clock, always(*[0.5] * 100, later))) * TOKENS
    assert clock.spent == pytest.approx(100.0, abs=3.0)
    assert 1 / 1.5 < clock.plans[0][1] / done < 1.5
    seen = [tokens / done for step, tokens, _, _ in clock.plans if step > 100 + 20 / later]
    assert len(seen) > 1
    assert seen == pytest.approx([1.0] * len(seen), abs=0.05)


def test_the_first_plan_waits_for_the_pace() -> None:
    clock = schedule(seconds=100.0)
    steps = 0
    while not clock.plans:
        clock.advance(steps, TOKENS, 0.5)
        steps += 1
    assert steps == CALIBRATION_SHARE * 100.0 / 0.5
    assert steps > UNTIMED_STEPS + TIMED_STEPS
    assert clock.share == 0.0


def test_a_state_is_taken_up_whole_and_going_back_keeps_the_time_used() -> None:
    clock = schedule()
    run_for(clock, 40)
    kept = clock.state()
    other = schedule()
    other.load_state(kept)
    assert other == clock
    run_for(other, 20)
    spent = other.spent
    other.go_back(kept, 40)
    assert (other.share, other.tokens, other.spent) == (clock.share, clock.tokens, spent)
    assert other.per_token > clock.per_token


def test_preparing_uses_time_and_says_nothing_of_the_pace() -> None:
    clock = schedule()
    clock.prepare(40.0)
    run(clock, always(0.5))
    assert clock.spent == pytest.approx(100.0, abs=1.0)
    assert {round(pace * TOKENS, 6) for _, _, _, pace in clock.plans} == {0.5}


def run_for(clock: Schedule, steps: int) -> None:
    """So many steps of half a second."""
    for _ in range(steps):
        clock.advance(clock.tokens // TOKENS, TOKENS, 0.5)
