"""What lines of business contribute to an effect: shares, effects, and what is left for composition."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ab.analysis.assessing import PhaseUnits
from ab.analysis.contributions import LineContributions, contributions
from ab.sequential.effects import Side

ARMS = {"teacher": 0.5, "student": 0.5}
Counts = tuple[tuple[int, int], tuple[int, int]]
"""Of both arms: units, and those with the outcome."""


def phase(counts: Counts) -> PhaseUnits:
    sides = {(arm, ("takeover", None)): Side.counted(*counts[at]) for at, arm in enumerate(ARMS)}
    return PhaseUnits(ARMS, {arm: counts[at][0] for at, arm in enumerate(ARMS)}, sides)


def both(one: Counts, other: Counts) -> Counts:
    """Units of two lines together."""
    old, new = ((a[0] + b[0], a[1] + b[1]) for a, b in zip(one, other, strict=True))
    return old, new


def reckoned(lines: Mapping[str, Counts], kpis: tuple[str, ...] = ("takeover",)) -> list[LineContributions]:
    shop, bank = lines.values()
    parts = {name: [phase(counts)] for name, counts in lines.items()}
    return list(contributions([phase(both(shop, bank))], parts, list(ARMS), kpis, 4_000))


def test_a_line_contributes_its_share_times_its_effect() -> None:
    """Three quarters ask the shop, which falls from 20 to 10 %; the bank rises from 20 to 30 %."""
    (found,) = reckoned({"shop": ((750, 150), (750, 75)), "bank": ((250, 50), (250, 75))})
    shop, bank = found.lines
    assert (shop.share, shop.effect, shop.value) == pytest.approx((0.75, -0.1, -0.075))
    assert (bank.share, bank.effect, bank.value) == pytest.approx((0.25, 0.1, 0.025))
    assert (found.effect, found.composition) == pytest.approx((-0.05, 0.0))
    assert shop.lower < shop.value < shop.upper < 0


def test_lines_without_an_effect_leave_a_change_of_the_mix_to_composition() -> None:
    """The student's users ask the bank, where more is taken over, twice as often; in neither line anything changed."""
    (found,) = reckoned({"shop": ((800, 80), (600, 60)), "bank": ((200, 100), (400, 200))})
    assert [line.share for line in found.lines] == pytest.approx([0.7, 0.3]), "the mean of both arms"
    assert [line.value for line in found.lines] == pytest.approx([0.0, 0.0])
    assert found.effect == found.composition == pytest.approx(0.26 - 0.18)


def test_what_lines_with_too_few_units_did_is_left_over_and_all_adds_up() -> None:
    (found,) = reckoned({"shop": ((700, 150), (650, 75)), "bank": ((1, 1), (1, 0))})
    assert [line.line for line in found.lines] == ["shop"]
    assert sum(line.value for line in found.lines) + found.composition == pytest.approx(found.effect)
    assert found.composition != 0


def test_a_kpi_that_no_line_has_is_not_told() -> None:
    assert reckoned({"shop": ((0, 0), (0, 0)), "bank": ((1, 0), (0, 0))}) == []
    assert reckoned({"shop": ((70, 15), (65, 7)), "bank": ((30, 5), (30, 3))}, ("click",)) == []
