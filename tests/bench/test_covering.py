"""Coverage and ramps at small counts: what the deployed code holds, and what shows when it would not."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ab.sequential.bounds import ConfidenceSequence
from bench import covering
from bench.covering import KINDS, coverage, page, ramps

RUNS = 40


def within(rate: float, level: float = 0.05) -> bool:
    """Not more than the level says, three standard errors of so many runs aside."""
    return rate <= level + 3 * math.sqrt(level * (1 - level) / RUNS)


def test_intervals_cover_the_truth_at_every_look_together() -> None:
    found = coverage(RUNS, seed=2)
    assert [row["kind"] for row in found] == list(KINDS)
    for row in found:
        assert within(1 - row["every_look"]), row
        assert within(1 - row["fixed"]), row
        assert row["every_look"] <= row["last_look"]


def test_narrower_intervals_show(monkeypatch: pytest.MonkeyPatch) -> None:
    multiple = ConfidenceSequence.multiple
    monkeypatch.setattr(ConfidenceSequence, "multiple", lambda self, n: 0.5 * multiple(self, n))
    assert all(row["every_look"] < 0.9 for row in coverage(12, seed=2))


def test_the_ratio_and_the_covariate_have_the_effect_that_is_held_to_be_true() -> None:
    """A wrong truth would hide behind wide intervals: the mean effect of many runs is held against it."""
    for kind in KINDS:
        rng = covering.np.random.default_rng([3, list(KINDS).index(kind)])
        last = [covering.effect(*covering._looks(rng, kind)[-1]) for _ in range(RUNS)]
        mean = sum(one.value for one in last) / RUNS
        error = math.sqrt(sum(one.error**2 for one in last)) / RUNS
        assert abs(mean - covering.LIFT) < 4 * error, kind
        assert error < 5 * covering.LIFT, kind


def test_pooled_over_a_ramp_equal_arms_differ_and_by_phase_they_do_not() -> None:
    still, _, falling = ramps(RUNS, seed=2)
    assert within(still["by_phase"])
    assert within(still["pooled"])
    assert within(falling["by_phase"])
    assert falling["pooled"] > 0.9


def test_the_page_tells_both() -> None:
    def table(rows: list[tuple[str, ...]], head: tuple[str, ...]) -> str:
        return "\n".join(" | ".join(row) for row in [head, *rows])

    row: dict[str, Any] = {"looks": 40, "units": 20_000}
    covered = {**row, "kind": "yes or no, 1 %", "every_look": 0.985, "last_look": 0.99, "fixed": 0.95}
    ramp = {**row, "falling": 0.02, "by_phase": 0.02, "pooled": 0.8}
    text = "\n".join(page({"coverage": [covered], "ramps": [ramp]}, table))
    for words in ("yes or no, 1 % | 0.985 | 0.990 | 0.950", "2 points | 0.020 | 0.800", "5%, 20%, 50%, 80%"):
        assert words in text
