"""Text alone as targets: what is made small is the cross-entropy of the text."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from online_distill.data.encoding import Encoded
from online_distill.losses.buckets import teacher_buckets
from online_distill.losses.coarse import coarse_loss
from online_distill.losses.usable import faults
from online_distill.teacher.spoken import TextScorer, certain


@given(st.lists(st.integers(0, 99), min_size=1, max_size=8), st.integers(1, 30))
def test_each_row_holds_its_token_for_certain_and_other_ids_ruled_out(tokens: list[int], k: int) -> None:
    top = certain(tokens, k)
    assert top.ids.shape == top.logprobs.shape == (len(tokens), k)
    assert top.ids[:, 0].tolist() == tokens
    assert all(len(set(row)) == k for row in top.ids.tolist())
    assert (top.logprobs[:, 0] == 0).all()
    assert np.isneginf(top.logprobs[:, 1:]).all()
    assert not faults(torch.from_numpy(top.ids).long(), torch.from_numpy(top.logprobs), 100).any()


@pytest.mark.parametrize("k", [1, 4, 20])
def test_the_loss_on_it_is_the_cross_entropy_of_the_text(k: int) -> None:
    torch.manual_seed(4)
    hidden, head, tokens = (
        torch.randn(6, 8, requires_grad=True),
        torch.randn(50, 8, requires_grad=True),
        [3, 49, 0, 7, 7, 21],
    )
    top = certain(tokens, k)
    teacher = teacher_buckets(torch.from_numpy(top.logprobs))
    loss, _ = coarse_loss(hidden, head, torch.from_numpy(top.ids).long(), teacher, torch.ones(6))
    found = torch.autograd.grad(loss, (hidden, head))
    usual = cross_entropy(hidden @ head.T, torch.tensor(tokens), reduction="sum")
    wanted = torch.autograd.grad(usual, (hidden, head))
    assert float(loss.detach()) == pytest.approx(float(usual.detach()), abs=6 * 5e-4)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)


def test_a_scorer_of_text_gives_the_reply_alone() -> None:
    scorer = TextScorer(top_k=5)
    first, second = scorer.score([Encoded([0, 7, 8, 9, 4], start=3), Encoded([0, 5, 6, 4], start=1)])
    assert (first.ids[:, 0].tolist(), second.ids[:, 0].tolist()) == ([9, 4], [5, 6, 4])
    scorer.close()
