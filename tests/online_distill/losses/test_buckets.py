"""Buckets of a teacher's top k and of a student's logits: normalised, and true where a tail is tiny."""

from __future__ import annotations

import pytest
import torch

from online_distill.losses.buckets import TAIL_FLOOR, student_buckets, teacher_buckets


def test_the_teachers_tail_has_a_floor_and_the_buckets_add_up_to_one() -> None:
    certain = torch.tensor([[0.0, -50.0, -60.0]])
    buckets = teacher_buckets(certain)
    assert float(buckets.exp().sum()) == pytest.approx(1.0, abs=1e-6)
    assert float(buckets[0, -1].exp()) == pytest.approx(TAIL_FLOOR, rel=1e-2)


def test_half_precision_log_probabilities_are_summed_in_float32() -> None:
    top = torch.tensor([[0.5, 0.25, 0.125]]).log()
    found = teacher_buckets(top.bfloat16())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.exp(), torch.tensor([[0.5, 0.25, 0.125, 0.125]]), rtol=2e-2, atol=0)


def test_the_students_buckets_are_its_probabilities_and_what_is_left() -> None:
    logits = torch.randn(3, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ids = torch.tensor([[3, 4, 5], [0, 39, 7], [9, 1, 2]])
    whole = logits.softmax(-1).gather(-1, ids)
    expected = torch.cat([whole, 1 - whole.sum(-1, keepdim=True)], -1)
    torch.testing.assert_close(student_buckets(logits, ids).exp(), expected)


def test_a_certain_student_keeps_its_tail_in_float32() -> None:
    logits = torch.zeros(1, 4096)
    logits[0, 7] = 60.0
    tail = student_buckets(logits, torch.tensor([[7]]))[0, -1]
    assert float(tail) == pytest.approx(8.3176 - 60.0, abs=1e-3)
