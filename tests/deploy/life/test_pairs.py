"""What a canary's few shadow pairs cannot say."""

from __future__ import annotations

import pytest

from ab.sequential.effects import Side, UnitFigure
from deploy.life.config import GateConfig
from deploy.life.pairs import judge_pairs

CONFIG = GateConfig()


def users(n: int, right: float, pairs: int = 1) -> Side:
    """Users with so many pairs each, of whom a share has all of them right and the others none."""
    good = round(n * right)
    return Side.of(UnitFigure(pairs * (i < good), pairs, binary=True) for i in range(n))


def steps(old: Side, new: Side) -> dict[str, list[tuple[Side, Side]]]:
    return {"exact": [(old, new)], "facts": [(old, new)]}


def test_few_pairs_say_what_they_cannot_exclude() -> None:
    found = judge_pairs(steps(users(150, 0.95), users(50, 0.95)), CONFIG)
    needed = found.figures["needed"]
    said = "50 shadow pairs of the canary cannot exclude a loss of 3 points of exact replies or facts"
    assert found.unknown == f"{said}; about {needed} would"
    enough = judge_pairs(steps(users(2 * needed, 0.95), users(2 * needed, 0.95)), CONFIG)
    assert enough.unknown == ""


def test_pairs_of_the_same_few_users_say_less_and_more_are_needed() -> None:
    apart = judge_pairs(steps(users(2_000, 0.95), users(2_000, 0.95)), CONFIG)
    same = judge_pairs(steps(users(200, 0.95, pairs=10), users(200, 0.95, pairs=10)), CONFIG)
    assert (apart.unknown, apart.figures["exact"]["n"], same.figures["exact"]["n"]) == ("", 2_000, 2_000)
    assert same.unknown.startswith("2000 shadow pairs of the canary cannot exclude")
    assert same.figures["needed"] == pytest.approx(10 * apart.figures["needed"], rel=0.02)


def test_pairs_of_all_steps_count() -> None:
    one = steps(users(100, 0.95), users(30, 0.9))
    found = judge_pairs({name: 2 * pair for name, pair in one.items()}, CONFIG)
    assert (found.figures["exact"]["n"], found.figures["exact"]["n_stable"]) == (60, 200)


def test_no_pairs_say_so() -> None:
    for given in ({}, steps(users(100, 0.9), Side())):
        assert judge_pairs(given, CONFIG).unknown.startswith("0 shadow pairs")
    alone = "4000 shadow pairs of the canary have none of a student before it beside them, so they exclude no loss"
    assert judge_pairs(steps(Side(), users(4_000, 0.9)), CONFIG).unknown.startswith(alone)
