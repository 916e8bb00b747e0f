"""Which rows are left out, by name; and that such a row has no part in loss or gradient of a batch."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from online_distill.losses.buckets import student_buckets, teacher_buckets
from online_distill.losses.coarse import coarse_loss
from online_distill.losses.divergences import divergence
from online_distill.losses.kinds import Divergence
from online_distill.losses.usable import FAULTS, faults

VOCABULARY, K, WIDTH = 30, 4, 5
KINDS: tuple[Divergence, ...] = get_args(Divergence)

HARM: dict[str, tuple[object, object]] = {
    "not a number": (None, float("nan")),
    "an id beyond the vocabulary": ([0, 1, 2, VOCABULARY], None),
    "an id twice": ([0, 1, 2, 1], None),
    "more than 1 in all": (None, 0.0),
}
"""Name of the fault -> what is put into a row's ids and log-probabilities."""


def case(rows: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """(hidden, head, ids, log-probabilities, weights), sound."""
    maker = torch.Generator().manual_seed(seed)
    hidden = torch.randn(rows, WIDTH, generator=maker, dtype=torch.float64)
    head = torch.randn(VOCABULARY, WIDTH, generator=maker, dtype=torch.float64)
    top, ids = torch.randn(rows, VOCABULARY, generator=maker, dtype=torch.float64).log_softmax(-1).topk(K)
    return hidden, head, ids, top, 0.5 + torch.rand(rows, generator=maker, dtype=torch.float64)


def gradients(given: tuple[Tensor, ...], kind: Divergence) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(loss, rows, gradient of the hidden states, of the head)."""
    hidden, head, ids, top, weights = given
    hidden, head = hidden.clone().requires_grad_(True), head.clone().requires_grad_(True)
    loss, rows = coarse_loss(hidden, head, ids, teacher_buckets(top), weights, kind=kind, chunk=3)
    of_hidden, of_head = torch.autograd.grad(loss, [hidden, head])
    return loss.detach(), rows, of_hidden, of_head


def test_every_fault_has_its_name() -> None:
    assert set(HARM) == set(FAULTS)
    for name, (bad_ids, bad_top) in HARM.items():
        _, _, ids, top, _ = case(3, 0)
        if bad_ids is not None:
            ids[1] = torch.tensor(bad_ids)
        if bad_top is not None:
            top[1] = bad_top
        assert faults(ids, top, VOCABULARY).tolist() == [0, FAULTS.index(name) + 1, 0]
    _, _, ids, top, _ = case(3, 0)
    top[1, 0] = float("inf")
    assert faults(ids, top, VOCABULARY).tolist() == [0, FAULTS.index("not a number") + 1, 0]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(2, 9), seed=st.integers(0, 1000), kind=st.sampled_from(KINDS), data=st.data(),
    harm=st.sampled_from(["nan", "inf", "negative", "beyond", "twice", "weight nan", "hidden nan at weight 0"]),
)  # fmt: skip
def test_a_bad_row_has_no_part_in_its_batch(
    rows: int, seed: int, kind: Divergence, harm: str, data: st.DataObject
) -> None:
    given_rows = case(rows, seed)
    bad = data.draw(st.integers(0, rows - 1))
    rest = torch.arange(rows) != bad
    expected = gradients((given_rows[0][rest], given_rows[1], *(part[rest] for part in given_rows[2:])), kind)
    spoil(given_rows, bad, harm)
    loss, nats, of_hidden, of_head = gradients(given_rows, kind)
    torch.testing.assert_close(loss, expected[0])
    torch.testing.assert_close(nats[rest], expected[1])
    torch.testing.assert_close(of_hidden[rest], expected[2])
    torch.testing.assert_close(of_head, expected[3])
    assert float(nats[bad]) == 0.0
    assert float(of_hidden[bad].abs().max()) == 0.0


def spoil(given_rows: tuple[Tensor, ...], row: int, harm: str) -> None:
    """Do harm to one row, in place."""
    hidden, _, ids, top, weights = given_rows
    if harm == "hidden nan at weight 0":
        hidden[row], weights[row] = float("nan"), 0.0
    elif harm == "weight nan":
        weights[row] = float("nan")
    elif harm in ("nan", "inf"):
        top[row, 1] = float(harm)
    else:
        ids[row, 0] = {"negative": -1, "beyond": VOCABULARY, "twice": int(ids[row, 1])}[harm]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1000), kind=st.sampled_from(KINDS), ruled_out=st.integers(1, K))
def test_a_token_ruled_out_is_one_of_probability_zero(seed: int, kind: Divergence, ruled_out: int) -> None:
    hidden, head, ids, top, weights = case(4, seed)
    top[2, -ruled_out:] = float("-inf")
    loss, _, of_hidden, of_head = gradients((hidden, head, ids, top, weights), kind)
    assert all(bool(torch.isfinite(part).all()) for part in (loss, of_hidden, of_head))
    if kind in ("forward", "js", "skew"):  # finite at 0: the plain formula with 0 log 0 = 0
        tiny = top.clone()
        tiny[2, -ruled_out:] = -60.0
        torch.testing.assert_close(loss, gradients((hidden, head, ids, tiny, weights), kind)[0])


def test_a_batch_of_bad_rows_alone_is_a_loss_of_nothing() -> None:
    hidden, head, ids, top, weights = case(3, 1)
    top[:] = float("nan")
    loss, rows, of_hidden, of_head = gradients((hidden, head, ids, top, weights), "forward")
    assert (float(loss), rows.tolist()) == (0.0, [0.0] * 3)
    assert float(of_hidden.abs().max()) == float(of_head.abs().max()) == 0.0


@pytest.mark.parametrize("vocabulary", [K, K - 1])
def test_no_room_for_a_tail_is_refused_by_name(vocabulary: int) -> None:
    hidden, head, ids, top, weights = case(2, 0)
    with pytest.raises(ValueError, match="top_k"):
        coarse_loss(hidden, head, ids, teacher_buckets(top), weights, vocabulary=vocabulary)
    with pytest.raises(ValueError, match="top_k"):
        student_buckets(torch.zeros(2, vocabulary), ids)


def test_one_token_beside_the_teachers_is_tail_enough() -> None:
    logits = torch.randn(3, K + 1, dtype=torch.float64)
    top, ids = torch.randn(3, K + 1, dtype=torch.float64).log_softmax(-1).topk(K)
    teacher = teacher_buckets(top)
    found, _ = coarse_loss(logits, torch.eye(K + 1, dtype=torch.float64), ids, teacher, torch.ones(3).double())
    expected = divergence(teacher, student_buckets(logits, ids), "forward").sum()
    torch.testing.assert_close(found, expected)
