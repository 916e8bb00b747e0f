"""Attribution of a factorial: known contributions, their errors, and what is not attributed."""

from __future__ import annotations

import itertools
import json
import math
import random
from statistics import fmean, stdev
from typing import Any

import pytest

from ab.analysis.assessing import PhaseUnits
from ab.analysis.attribution import KpiAttribution, attributions
from ab.analysis.replies import attributed
from ab.experiment import Experiment
from ab.sequential.bounds import ConfidenceSequence
from ab.sequential.effects import Side, contrast, effect
from ab.shapley import Game, adds_up, weights
from ab.switches import members

CELLS = ("none", "candidate", "routing", "routing+candidate")


def factorial(**given: Any) -> Experiment:
    fields = {"id": "f", "switches": {"routing": 0.5, "candidate": 0.5}, "primary": {"kpi": "k"},
              "stop": {"planned_units": 4000}}  # fmt: skip
    return Experiment.model_validate({**fields, **given})


def phase(values: dict[str, list[float]], returning: int | None = 0) -> PhaseUnits:
    sides = {(name, ("k", None)): Side.plain(of) for name, of in values.items()}
    return PhaseUnits(factorial().shares, {name: len(of) for name, of in values.items()}, sides, returning=returning)


def drawn(means: dict[str, float], n: int, seed: int) -> dict[str, list[float]]:
    """`n` units of each cell around its mean, standard deviation 1."""
    chance = random.Random(seed)
    return {name: [chance.gauss(mean, 1.0) for _ in range(n)] for name, mean in means.items()}


def one(phases: list[PhaseUnits], **given: Any) -> KpiAttribution:
    (found,) = attributions(factorial(**given), phases)
    return found


MEANS = {"none": 0.0, "candidate": 0.0, "routing": 0.5, "routing+candidate": 1.5}
"""The candidate does nothing by itself and 1.0 more where the student answers: Shapley values 1.0 and 0.5."""


def test_contributions_are_the_shapley_values_of_the_cells_figures_and_add_up_to_the_change() -> None:
    values = drawn(MEANS, 1_000, seed=3)
    found = one([phase(values)])
    means = {name: fmean(of) for name, of in values.items()}
    alone, after = means["routing"] - means["none"], means["routing+candidate"] - means["candidate"]
    assert found.contributions["routing"].value == pytest.approx((alone + after) / 2)
    assert found.contributions["routing"].value == pytest.approx(1.0, abs=0.15)
    assert found.contributions["candidate"].value == pytest.approx(0.5, abs=0.15)
    assert found.total == pytest.approx(found.effect.value) == pytest.approx(means["routing+candidate"] - means["none"])
    assert found.why == ""


def test_the_interval_is_that_of_a_sum_of_independent_cells_and_holds_at_every_look() -> None:
    values = drawn(MEANS, 1_000, seed=3)
    found = one([phase(values)])
    error = math.sqrt(sum((stdev(of) / 2) ** 2 / len(of) for of in values.values()))
    half = ConfidenceSequence(0.05, 4000).half_width(error, 4000)
    routing = found.contributions["routing"]
    assert routing.upper - routing.value == pytest.approx(half, rel=1e-9)
    assert routing.value - routing.lower == pytest.approx(half, rel=1e-9)


def test_what_it_prints_is_what_the_command_reads() -> None:
    found = one([phase(drawn(MEANS, 1_000, seed=3))])
    told = attributed(found, factorial().switches)
    game = Game.read(json.loads(json.dumps(told)))
    again = game.shapley()
    for name, part in told["shapley"].items():
        assert again[name].value == pytest.approx(part["value"])
        assert again[name].upper < part["upper"]  # that of one look is narrower
    assert told["sum"] == pytest.approx(game.total)


def test_phases_are_compared_within_so_that_a_drift_between_them_is_no_contribution() -> None:
    first, second = drawn(dict.fromkeys(CELLS, 0.0), 900, seed=5), drawn(dict.fromkeys(CELLS, 10.0), 900, seed=6)
    second = {name: of if "routing" in name else of[:30] for name, of in second.items()}
    first = {name: of if "routing" not in name else of[:30] for name, of in first.items()}
    found = one([phase(first), phase(second)])
    assert abs(found.effect.value) < 1.0
    assert found.change.lower < 0 < found.change.upper
    assert not found.contributions


def test_three_switches_have_the_shapley_values_of_their_eight_cells() -> None:
    """The guard costs 0.6, and half of that comes back where the student answers: -0.45, and 0.15 of it routing's."""

    def mean(name: str) -> float:
        on = members(name)
        return ("routing" in on) * 1.0 - ("guard" in on) * (0.6 if "routing" not in on else 0.3)

    crossed = factorial(switches={"routing": 0.5, "candidate": 0.5, "guard": 0.5}, stop={"planned_units": 8000})
    values = drawn({name: mean(name) for name in crossed.arms}, 1_500, seed=4)
    sides = {(name, ("k", None)): Side.plain(of) for name, of in values.items()}
    units = PhaseUnits(crossed.shares, {name: len(of) for name, of in values.items()}, sides)
    (found,) = attributions(crossed, [units])
    wanted = {"routing": 1.15, "candidate": 0.0, "guard": -0.45}
    assert {name: one.value for name, one in found.contributions.items()} == pytest.approx(wanted, abs=0.1)
    assert all(one.lower < wanted[name] < one.upper for name, one in found.contributions.items())
    assert found.contributions["guard"].upper < 0
    figures = {frozenset(members(name)): fmean(of) for name, of in values.items()}
    for name, one in found.contributions.items():
        assert one.value == pytest.approx(sum(w * figures[some] for some, w in weights(list(wanted), name).items()))
    assert found.total == pytest.approx(found.effect.value)


def test_only_a_change_that_is_there_is_attributed() -> None:
    found = one([phase(drawn(dict.fromkeys(CELLS, 0.0), 1_000, seed=9))])
    assert (found.contributions, found.why) == (
        {}, "no change that can be told from none, so there is nothing to attribute",
    )  # fmt: skip
    told = attributed(found, factorial().switches)
    assert (told["attributed"], told["sum"]) == (False, None)


def test_few_units_and_an_empty_cell_attribute_nothing_and_say_so() -> None:
    values = drawn(MEANS, 400, seed=3)
    assert "500" in one([phase(values)]).why
    assert "(none in candidate)" in one([phase({**values, "candidate": []})]).why
    told = attributed(one([]), factorial().switches)
    assert told["change"]["effect"] is None
    json.dumps(told, allow_nan=False)


def test_without_switches_nothing_is_attributed() -> None:
    plain = Experiment.model_validate({"id": "e", "arms": {"teacher": 1.0}, "primary": {"kpi": "k"}})
    assert not list(attributions(plain, [phase(drawn(MEANS, 50, seed=1))]))


def test_secondary_kpis_share_the_level() -> None:
    values = drawn(MEANS, 1_000, seed=3)
    sides = {(name, (kpi, None)): Side.plain(of) for name, of in values.items() for kpi in ("k", "a", "b")}
    units = PhaseUnits(factorial().shares, {name: len(of) for name, of in values.items()}, sides)
    found = {part.kpi: part for part in attributions(factorial(secondary=[{"kpi": "a"}, {"kpi": "b"}]), [units])}
    widths = {kpi: part.change.upper - part.change.lower for kpi, part in found.items()}
    assert widths["a"] == widths["b"] > widths["k"]


def test_a_contrast_of_two_sides_is_their_difference() -> None:
    old, new = Side.plain([float(n % 3) for n in range(90)]), Side.plain([float(n % 5) for n in range(80)])
    mine, theirs = contrast({"a": old, "b": new}, {"a": -1.0, "b": 1.0}), effect(old, new)
    for field in ("value", "error", "n", "old", "new", "enough", "cautious", "weight"):
        assert getattr(mine, field) == pytest.approx(getattr(theirs, field)), field


def test_the_intervals_cover_the_truth_at_all_looks_together() -> None:
    """200 seeded factorials, each looked at twelve times: a 90 % sequence misses in at most 10 % plus 3 standard
    errors of them (0.064)."""
    sequence, counts = ConfidenceSequence(0.1, 2_400), {"".join(sorted(s)): w for s, w in weights("rc", "r").items()}
    names = {"none": "", "candidate": "c", "routing": "r", "routing+candidate": "cr"}
    missed = 0
    for seed in range(200):
        values = drawn(MEANS, 600, seed=seed)
        for n in range(50, 601, 50):
            found = contrast({names[name]: Side.plain(of[:n]) for name, of in values.items()}, counts)
            if abs(found.value - 1.0) > sequence.half_width(found.error, found.n):
                missed += 1
                break
    assert missed / 200 <= 0.1 + 0.064


def test_drift_is_measured_by_the_largest_value() -> None:
    assert adds_up([1.0, 2.0], 3.0 + 1e-10, 1.0)
    assert not adds_up([1.0, 2.0], 3.0 + 1e-7, 1.0)
    assert adds_up([1.0, 2.0], 3.0 + 1e-7, 1e6)


@pytest.mark.parametrize("arms", list(itertools.permutations(CELLS))[:3])
def test_the_order_of_cells_means_nothing(arms: tuple[str, ...]) -> None:
    values = drawn(MEANS, 600, seed=3)
    found = one([phase({name: values[name] for name in arms})])
    assert found.contributions == one([phase(values)]).contributions
