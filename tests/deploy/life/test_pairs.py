"""What the canary's shadow pairs say: harm that is clear, and what so few cannot say."""

from __future__ import annotations

from ab.summary import Stat
from deploy.life.config import GateConfig
from deploy.life.pairs import judge_pairs

CONFIG = GateConfig()


def counted(exact: float, facts: float, n: int) -> dict[str, Stat]:
    return {name: Stat(n, share, share * (1 - share)) for name, share in (("exact", exact), ("facts", facts))}


def test_clearly_fewer_exact_replies_or_facts_are_harm() -> None:
    stable = counted(0.95, 0.98, 200)
    found = judge_pairs(counted(0.75, 0.98, 60), stable, CONFIG)
    assert found.harm.startswith("exact: 0.750 of 60 shadow pairs against 0.950 of 200 of the stable version")
    assert judge_pairs(counted(0.95, 0.8, 60), stable, CONFIG).harm.startswith("facts: 0.800")
    assert judge_pairs(counted(0.95, 0.98, 60), stable, CONFIG).harm == ""


def test_a_canary_of_more_looks_is_slower_to_see_harm() -> None:
    stable, candidate = counted(0.95, 1.0, 200), counted(0.87, 1.0, 60)
    assert judge_pairs(candidate, stable, CONFIG).harm == ""  # of two figures the worse must be below 0.025
    worse = counted(0.85, 1.0, 60)
    assert judge_pairs(worse, stable, CONFIG).harm
    assert judge_pairs(worse, stable, CONFIG, looks=4).harm == ""


def test_few_pairs_say_what_they_cannot_exclude() -> None:
    found = judge_pairs(counted(0.95, 0.98, 50), counted(0.95, 0.98, 150), CONFIG)
    needed = found.figures["needed"]
    said = "50 shadow pairs of the canary cannot exclude a loss of 3 points of exact replies or facts"
    assert found.unknown == f"{said}; about {needed} would"
    enough = judge_pairs(counted(0.95, 0.98, 2 * needed), counted(0.95, 0.98, 2 * needed), CONFIG)
    assert enough.unknown == ""


def test_no_pairs_are_no_harm_and_say_so() -> None:
    found = judge_pairs({}, counted(0.9, 0.9, 100), CONFIG)
    assert (found.harm, found.unknown[:14]) == ("", "0 shadow pairs")
