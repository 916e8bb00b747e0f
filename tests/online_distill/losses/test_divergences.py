"""Divergences as functions of two rows of buckets: their values, their bounds, and the temperature."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from online_distill.losses.buckets import student_buckets, teacher_buckets
from online_distill.losses.divergences import DIVERGENCES, divergence
from online_distill.losses.kinds import Divergence


def buckets(*shares: float) -> Tensor:
    """One row of log-buckets."""
    return torch.tensor([shares], dtype=torch.float64).log()


P, Q = buckets(0.5, 0.25, 0.25), buckets(0.25, 0.25, 0.5)


def test_the_table_holds_every_name_that_may_be_configured() -> None:
    assert tuple(DIVERGENCES) == get_args(Divergence)


@pytest.mark.parametrize(
    ("kind", "nats"),
    [
        ("forward", 0.25 * math.log(2)),
        ("reverse", 0.25 * math.log(2)),
        ("js", 0.5 * (0.5 * math.log(4 / 3) + 0.25 * math.log(2 / 3) + 0.5 * math.log(4 / 3) + 0.25 * math.log(2 / 3))),
        ("skew", 0.5 * math.log(0.5 / 0.475) + 0.25 * math.log(0.25 / 0.275)),
    ],
)
def test_values_worked_out_by_hand(kind: Divergence, nats: float) -> None:
    assert float(divergence(P, Q, kind, skew=0.1)) == pytest.approx(nats)


@pytest.mark.parametrize("kind", get_args(Divergence))
@given(seed=st.integers(0, 1000))
def test_none_is_negative_and_equal_rows_have_none(kind: Divergence, seed: int) -> None:
    p, q = torch.randn(2, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).log_softmax(-1)
    assert bool((divergence(p, q, kind) >= -1e-12).all())
    assert float(divergence(p, p, kind).abs().max()) < 1e-12


def test_the_symmetric_one_is_symmetric_and_bounded() -> None:
    far, other = buckets(1 - 2e-9, 1e-9, 1e-9), buckets(1e-9, 1 - 2e-9, 1e-9)
    assert float(divergence(far, other, "js")) == pytest.approx(float(divergence(other, far, "js")))
    assert float(divergence(far, other, "js")) <= math.log(2)


def test_a_temperature_acts_on_both_sides_and_its_square_stands_outside() -> None:
    softened = [torch.log_softmax(side / 2.0, -1) for side in (P, Q)]
    expected = 4 * float(divergence(softened[0], softened[1], "forward"))
    assert float(divergence(P, Q, "forward", temperature=2.0)) == pytest.approx(expected)


def test_a_certain_teacher_leaves_the_reverse_one_finite() -> None:
    certain = teacher_buckets(torch.tensor([[0.0, -50.0, -60.0]]))
    student = student_buckets(torch.randn(1, 40), torch.tensor([[3, 4, 5]]))
    assert bool(torch.isfinite(divergence(certain, student, "reverse")).all())
