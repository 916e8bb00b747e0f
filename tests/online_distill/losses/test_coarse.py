"""The closed form of the loss's gradient against autograd and finite differences, in float64."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from online_distill.losses.buckets import teacher_buckets
from online_distill.losses.coarse import coarse_loss
from online_distill.losses.kinds import Divergence

KINDS: tuple[Divergence, ...] = get_args(Divergence)
ROWS, WIDTH, VOCABULARY, PADDING, K = 7, 6, 50, 6, 5


def reference(kind: Divergence, p: Tensor, q: Tensor, skew: float = 0.1) -> Tensor:
    """The plain formulas on probabilities (n, k + 1)."""
    middle, mixed = 0.5 * (p + q), skew * q + (1 - skew) * p
    return {
        "forward": (p * (p / q).log()).sum(-1),
        "reverse": (q * (q / p).log()).sum(-1),
        "js": 0.5 * (p * (p / middle).log()).sum(-1) + 0.5 * (q * (q / middle).log()).sum(-1),
        "skew": (p * (p / mixed).log()).sum(-1),
    }[kind]


class Case:
    """One random problem; padded logits are in the head and not in the vocabulary."""

    def __init__(self, seed: int) -> None:
        maker = torch.Generator().manual_seed(seed)
        self.hidden = torch.randn(ROWS, WIDTH, generator=maker, dtype=torch.float64, requires_grad=True)
        self.head = torch.randn(VOCABULARY + PADDING, WIDTH, generator=maker, dtype=torch.float64, requires_grad=True)
        logits = 3 * torch.randn(ROWS, VOCABULARY, generator=maker, dtype=torch.float64)
        top, self.ids = logits.log_softmax(-1).topk(K)
        self.teacher = teacher_buckets(top)
        self.weights = 3 * torch.rand(ROWS, generator=maker, dtype=torch.float64)

    def ours(self, kind: Divergence, temperature: float = 1.0, hidden: Tensor | None = None) -> Tensor:
        loss, _ = coarse_loss(
            self.hidden if hidden is None else hidden, self.head, self.ids, self.teacher, self.weights,
            kind=kind, temperature=temperature, vocabulary=VOCABULARY, chunk=3,
        )  # fmt: skip
        return loss

    def plain(self, kind: Divergence) -> Tensor:
        q = (self.hidden @ self.head[:VOCABULARY].T).softmax(-1)
        chosen = q.gather(-1, self.ids)
        buckets = torch.cat([chosen, 1 - chosen.sum(-1, keepdim=True)], -1)
        return (self.weights * reference(kind, self.teacher.exp(), buckets)).sum()


@pytest.mark.parametrize("kind", KINDS)
def test_loss_and_gradient_equal_autograd_of_the_plain_formula(kind: Divergence) -> None:
    for seed in range(5):
        case = Case(seed)
        ours, plain = case.ours(kind), case.plain(kind)
        expected = torch.autograd.grad(plain, [case.hidden, case.head])
        found = torch.autograd.grad(ours, [case.hidden, case.head])
        torch.testing.assert_close(ours, plain)
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_gradient_equals_finite_differences(kind: Divergence, temperature: float) -> None:
    case = Case(11)
    (found,) = torch.autograd.grad(case.ours(kind, temperature), case.hidden)
    step = 1e-6
    for row, column in ((0, 0), (3, 2), (6, 5)):
        shift = torch.zeros_like(case.hidden)
        shift[row, column] = step
        up = case.ours(kind, temperature, (case.hidden + shift).detach())
        down = case.ours(kind, temperature, (case.hidden - shift).detach())
        assert ((up - down) / (2 * step)).item() == pytest.approx(found[row, column].item(), rel=1e-5, abs=1e-7)


def test_padded_logits_get_no_gradient() -> None:
    case = Case(3)
    (found,) = torch.autograd.grad(case.ours("forward"), case.head)
    assert float(found[VOCABULARY:].abs().max()) == 0.0
    assert float(found[:VOCABULARY].abs().max()) > 0.0


def test_the_result_does_not_depend_on_the_chunk() -> None:
    case = Case(4)
    whole, rows = coarse_loss(case.hidden, case.head, case.ids, case.teacher, case.weights, chunk=100)
    parts, same = coarse_loss(case.hidden, case.head, case.ids, case.teacher, case.weights, chunk=2)
    torch.testing.assert_close(whole, parts)
    torch.testing.assert_close(rows, same)


@given(weight=st.floats(0.1, 10), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_a_weight_counts_exactly_once(weight: float, seed: int) -> None:
    case = Case(seed)
    _, rows = coarse_loss(case.hidden, case.head, case.ids, case.teacher, case.weights, vocabulary=VOCABULARY)
    scaled = case.weights.clone()
    scaled[0] *= weight
    loss, unweighted = coarse_loss(case.hidden, case.head, case.ids, case.teacher, scaled, vocabulary=VOCABULARY)
    torch.testing.assert_close(unweighted, rows)
    torch.testing.assert_close(loss, (rows * scaled).sum())


def test_a_student_equal_to_the_teacher_has_no_loss_and_no_gradient() -> None:
    logits = torch.randn(4, 30, dtype=torch.float64)
    top, ids = logits.log_softmax(-1).topk(5)
    head = torch.eye(30, dtype=torch.float64, requires_grad=True)
    for kind in KINDS:
        loss, _ = coarse_loss(logits, head, ids, teacher_buckets(top), torch.ones(4, dtype=torch.float64), kind=kind)
        (gradient,) = torch.autograd.grad(loss, head)
        assert abs(loss.item()) < 1e-9
        assert float(gradient.abs().max()) < 1e-9


def test_a_certain_student_has_a_finite_gradient() -> None:
    logits = torch.zeros(1, 4096)
    logits[0, 7] = 60.0
    head = torch.eye(4096, requires_grad=True)
    loss, _ = coarse_loss(logits, head, torch.tensor([[7]]), teacher_buckets(torch.tensor([[-0.1]])), torch.ones(1))
    (gradient,) = torch.autograd.grad(loss, head)
    assert bool(torch.isfinite(gradient).all())


RECORDED: dict[tuple[Divergence, float], tuple[list[float], float, float]] = {
    ("forward", 1.0): ([0.841002822, 0.864364386, 0.856737137, 1.03997481], 0.177784771, -0.568806246),
    ("forward", 2.0): ([0.84015584, 0.880418718, 0.845257103, 1.04895258], 0.169972077, -0.496934593),
    ("reverse", 1.0): ([0.944958925, 0.964691162, 0.941036344, 1.15098441], 0.188361032, -0.921551555),
    ("reverse", 2.0): ([0.938677311, 0.980383277, 0.931559384, 1.20779812], 0.266922779, -0.885666914),
    ("js", 1.0): ([0.202337772, 0.206980497, 0.202673286, 0.244849235], 0.0426779087, -0.16628302),
    ("js", 2.0): ([0.216187045, 0.226014912, 0.215732068, 0.27261886], 0.0528655844, -0.163780021),
    ("skew", 1.0): ([0.0126433372, 0.0128886998, 0.0125211775, 0.0156396478], 0.00241308176, -0.0148514278),
    ("skew", 2.0): ([0.0108640194, 0.0113394707, 0.0107076764, 0.0144298226], 0.00371756405, -0.0131198136),
}
"""For `recorded_case`: nats of each row, and a sum that tells the gradients of hidden states and head apart."""


def recorded_case() -> tuple[Tensor, ...]:
    """(hidden, head, ids, teacher, weights) of values that float32 holds exactly: the same on every machine."""
    hidden = ((torch.arange(12).reshape(4, 3) % 5 - 2).float() / 4).requires_grad_(True)
    head = ((torch.arange(36).reshape(12, 3) * 7 % 11 - 5).float() / 8).requires_grad_(True)
    ids = (torch.arange(4)[:, None] * 2 + torch.arange(3) * 3) % 12
    top = torch.tensor([0.5, 0.25, 0.125]).log().expand(4, 3)
    return hidden, head, ids, teacher_buckets(top), torch.tensor([1.0, 3.0, 1.0, 3.0])


@pytest.mark.parametrize(("kind", "temperature"), list(RECORDED))
def test_losses_and_gradients_are_those_recorded(kind: Divergence, temperature: float) -> None:
    nats, of_hidden, of_head = RECORDED[kind, temperature]
    hidden, head, ids, teacher, weights = recorded_case()
    loss, rows = coarse_loss(
        hidden, head, ids, teacher, weights, kind=kind, temperature=temperature, skew=0.1, vocabulary=11, chunk=3
    )
    loss.backward()
    assert hidden.grad is not None
    assert head.grad is not None
    assert rows.tolist() == pytest.approx(nats, rel=1e-6, abs=1e-6)
    assert float(hidden.grad.double().sum()) == pytest.approx(of_hidden, rel=1e-5, abs=1e-6)
    assert float((head.grad.double() * torch.arange(12)[:, None]).sum()) == pytest.approx(of_head, rel=1e-5, abs=1e-6)
