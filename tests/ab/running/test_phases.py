"""Phases: who moves when shares change, what begins one, and that any of them can be told again."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ab.assignment import BUCKETS, bucket, choose
from ab.experiment import Experiment
from ab.running.phases import Phase, arm_at, assigned, begun, buckets, cumulated, following, moved

SHARES = {"teacher": 0.2, "student": 0.3, "candidate": 0.5}
NEXT = {"teacher": 0.3, "student": 0.3, "candidate": 0.4}


def made(**given: Any) -> Experiment:
    return Experiment.model_validate({"id": "e", "arms": {"teacher": 0.5, "student": 0.5}, **given})


def advance(last: Phase | None, experiment: Experiment, hours: float = 0.0, **versions: str) -> Phase | None:
    return following(last, experiment, hours, versions)


def test_changed_shares_move_a_tenth_and_nobody_whose_arms_kept_theirs() -> None:
    before = cumulated(SHARES)
    after = moved(before, NEXT)
    places = [bucket("seed", f"user-{n}") for n in range(100_000)]
    moves = [(old, new) for at in places if (old := arm_at(before, at)) != (new := arm_at(after, at))]
    assert set(moves) == {("candidate", "teacher")}
    assert len(moves) == pytest.approx(10_000, abs=400)
    anew = sum(choose(SHARES, at) != choose(NEXT, at) for at in places)
    assert anew == pytest.approx(20_000, abs=600)


@st.composite
def shares(draw: st.DrawFn) -> dict[str, float]:
    cuts = sorted(draw(st.lists(st.integers(0, BUCKETS), min_size=3, max_size=3)))
    edges = [0, *cuts, BUCKETS]
    return {arm: (high - low) / BUCKETS for arm, low, high in zip("abcd", edges[:-1], edges[1:], strict=True)}


@given(st.lists(shares(), min_size=2, max_size=6))
def test_any_chain_of_changes_moves_as_few_units_as_can_be(chain: list[dict[str, float]]) -> None:
    arms = cumulated(chain[0])
    for before, after in itertools.pairwise(chain):
        then = moved(arms, after)
        moves = [(old, new) for k in range(BUCKETS)
                 if (old := arm_at(arms, k / BUCKETS)) != (new := arm_at(then, k / BUCKETS))]  # fmt: skip
        fewest = sum(max(0.0, before[arm] - after[arm]) for arm in before) * BUCKETS
        assert abs(len(moves) - fewest) <= 4
        same = {arm for arm in before if before[arm] == after[arm]}
        assert not [move for move in moves if same & set(move)]
        arms = then


@given(shares())
def test_a_first_phase_assigns_as_growthbook_does(given: dict[str, float]) -> None:
    arms = cumulated(given)
    assert all(arm_at(arms, k / BUCKETS) == choose(given, k / BUCKETS) for k in range(0, BUCKETS, 7))


def test_an_arm_may_come_and_go() -> None:
    two = moved(cumulated({"teacher": 0.5, "student": 0.5}), {"teacher": 0.5, "candidate": 0.5})
    assert two == {"teacher": ((0.0, 0.5),), "candidate": ((0.5, 1.0),)}


def test_a_change_of_shares_versions_or_settings_begins_a_phase_and_nothing_else_does() -> None:
    plain = made()
    first = advance(None, plain, student="v1")
    assert first is not None
    assert (first.number, first.why, first.versions) == (1, "applied", {"student": "v1"})
    assert advance(first, plain, student="v1") is None
    assert advance(first, made(stop={"max_days": 3}, shadow={"rate": 0.9}), student="v1") is None
    for then, version, why in (
        (made(arms={"teacher": 0.4, "student": 0.6}), "v1", "shares"),
        (plain, "v2", "student serves v2"),
        (plain, "v1, 10% v2", "student serves v1, 10% v2"),
        (made(namespace=[0, 0.5]), "v1", "namespace"),
        (made(holdout=0.1), "v1", "holdout"),
        (made(force={"ada": "student"}), "v1", "testers"),
    ):
        second = advance(first, then, student=version)
        assert second is not None
        assert (second.number, second.why) == (2, why)


def test_a_phase_of_other_shares_goes_on_from_the_intervals_of_the_last() -> None:
    file = made(arms=SHARES)
    first = advance(None, file)
    assert first is not None
    second = advance(first, made(arms=NEXT))
    assert second is not None
    assert second.arms == {
        "teacher": ((0.0, 0.2), (0.9, 1.0)), "student": ((0.2, 0.5),), "candidate": ((0.5, 0.9),),
    }  # fmt: skip


def test_one_that_was_stopped_goes_on_with_a_further_phase() -> None:
    first = advance(None, made())
    assert first is not None
    again = advance(first.model_copy(update={"until": 5.0}), made())
    assert again is not None
    assert (again.number, again.until, again.why, again.arms) == (2, None, "applied again", first.arms)


def test_a_ramp_changes_shares_at_its_hours() -> None:
    ramp = [
        {"hours": 24, "arms": {"teacher": 0.5, "student": 0.5}},
        {"hours": 48, "arms": {"teacher": 0, "student": 1}},
    ]
    file = made(arms={"teacher": 0.9, "student": 0.1}, ramp=ramp)
    first = advance(None, file, 0.0)
    assert first is not None
    assert advance(first, file, 23.9) is None
    second = advance(first, file, 24.0)
    assert second is not None
    assert second.shares == {"teacher": 0.5, "student": 0.5}
    third = advance(second, file, 1000.0)
    assert third is not None
    assert third.shares == {"teacher": 0.0, "student": 1.0}


def test_a_tester_is_given_her_arm_and_said_to_be_one() -> None:
    file = made(force={"ada": "student", "bob": "teacher"}, holdout=0.99)
    found = {unit: assigned(file, begun(file), unit) for unit in ("ada", "bob")}
    assert {unit: (one.arm, one.forced) for unit, one in found.items()} == {
        "ada": ("student", True), "bob": ("teacher", True),
    }  # fmt: skip


def factorial(**given: Any) -> Experiment:
    return Experiment.model_validate({"id": "f", "switches": {"routing": 0.5, "candidate": 0.2}, **given})


def test_the_switches_of_a_factorial_are_on_independently_of_each_other() -> None:
    """100,000 units: each cell within four standard errors of the product of its shares (0.0016)."""
    experiment = factorial()
    phase = begun(experiment, 1)
    assert phase.shares == pytest.approx(experiment.shares)
    found = [assigned(experiment, phase, f"user-{n}").arm for n in range(100_000)]
    for name, share in phase.shares.items():
        assert found.count(name) / 100_000 == pytest.approx(share, abs=0.0064)


def test_a_changed_switch_moves_a_tenth_of_its_own_units_and_leaves_the_other_switch_alone() -> None:
    first = advance(None, factorial())
    assert first is not None
    assert advance(first, factorial()) is None
    later = factorial(switches={"routing": 0.6, "candidate": 0.2})
    second = advance(first, later)
    assert second is not None
    assert (second.number, second.why) == (2, "shares")
    units = [f"user-{n}" for n in range(5_000)]
    pairs = [(str(assigned(factorial(), first, u).arm), str(assigned(later, second, u).arm)) for u in units]
    moves = [pair for pair in pairs if pair[0] != pair[1]]
    assert len(moves) / 5_000 == pytest.approx(0.1, abs=0.02)
    assert {("candidate" in a, "candidate" in b) for a, b in moves} == {(False, False), (True, True)}
    assert not [pair for pair in moves if "routing" in pair[0]]


def test_an_experiment_that_becomes_a_factorial_or_ceases_to_be_one_begins_anew() -> None:
    plain = advance(None, made(id="f"))
    assert plain is not None
    crossed = advance(plain, factorial())
    assert crossed is not None
    assert (crossed.arms, list(crossed.switches)) == ({}, ["routing", "candidate"])
    back = advance(crossed, made(id="f"))
    assert back is not None
    assert (back.arms, back.switches) == (plain.arms, {})


def test_each_switch_has_its_own_bucket() -> None:
    found = buckets(factorial(), "ann")
    assert found == {"routing": bucket("f:routing", "ann"), "candidate": bucket("f:candidate", "ann")}
