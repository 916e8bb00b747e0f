"""Means and cross products that add, from rows, from sums and from parts."""

from __future__ import annotations

import numpy as np
import pytest

from ab.sequential.moments import Moments


def test_they_are_numpys_covariance_however_they_were_come_by() -> None:
    figures = np.random.default_rng(1).normal(1e7, 1.0, (50, 3))
    whole = Moments.of(figures)
    assert whole.covariance == pytest.approx(np.cov(figures, rowvar=False))
    parts = Moments.none(3) + Moments.of(figures[:7]) + Moments.of(figures[7:])
    assert parts.n == 50
    assert parts.covariance == pytest.approx(whole.covariance)
    small = figures - 1e7
    summed = Moments.from_sums(50, small.sum(axis=0).tolist(), (small.T @ small).tolist())
    assert summed.covariance == pytest.approx(np.cov(small, rowvar=False))


def test_one_unit_has_no_variance_and_none_has_no_mean_to_speak_of() -> None:
    assert Moments.of([[1.0, 2.0]]).covariance.tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert (Moments.none(2) + Moments.none(2)).n == 0
