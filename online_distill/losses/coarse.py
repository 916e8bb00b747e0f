"""Divergences on a teacher's top-k tokens and one tail bucket, with their gradient in closed form.

With q = softmax(z), K the teacher's k tokens, b = (q on K, tail mass) and a = dL/d log b, any loss L of
b has (S = sum of a, both sums over logits that exist):

    dL/dz_j = a_j - S q_j                        for j in K,
    dL/dz_j = a_tail q_j / b_tail - S q_j        for the others.

So the forward pass needs one logsumexp over the vocabulary, one over the logits outside K, and k
gathered logits; the small part (k + 1 numbers a row) is ordinary autograd. Rows go in chunks, and the
gradients of hidden states and head are formed at once, so that nothing of size tokens x vocabulary
outlives a chunk. Liger-Kernel's fused losses were considered: they ask for the teacher's whole logits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from online_distill.role.config import Divergence

TAIL_FLOOR = 2e-5
"""Noise of the engine's log-probabilities, measured; a reverse KL would be infinite at a tail of 0."""
CHUNK_LOGITS = 1 << 22
"""Logits that exist at once, unless a chunk is asked for."""


def teacher_buckets(logprobs: Tensor) -> Tensor:
    """Log-probabilities of k tokens (n, k) -> of k + 1 buckets (n, k + 1), floored tail, summing to 1."""
    top = logprobs.float() if logprobs.dtype in (torch.float16, torch.bfloat16) else logprobs
    tail = (1.0 - top.exp().sum(-1, keepdim=True)).clamp_min(TAIL_FLOOR)
    return torch.log_softmax(torch.cat([top, tail.log()], dim=-1), dim=-1)


def student_buckets(logits: Tensor, ids: Tensor) -> Tensor:
    """Logits (n, V) and token ids (n, k) -> log-probabilities of k tokens and tail (n, k + 1).

    The tail is a logsumexp of its own: one minus the sum would lose it in float32.
    """
    top = logits.gather(-1, ids)
    tail = logits.scatter(-1, ids, float("-inf")).logsumexp(-1, keepdim=True)
    return torch.cat([top, tail], dim=-1) - logits.logsumexp(-1, keepdim=True)


def _forward(p: Tensor, q: Tensor, skew: float) -> Tensor:
    return (p.exp() * (p - q)).sum(-1)


def _reverse(p: Tensor, q: Tensor, skew: float) -> Tensor:
    return (q.exp() * (q - p)).sum(-1)


def _js(p: Tensor, q: Tensor, skew: float) -> Tensor:
    middle = torch.logaddexp(p, q) - torch.log(torch.tensor(2.0, dtype=p.dtype))
    return 0.5 * (p.exp() * (p - middle)).sum(-1) + 0.5 * (q.exp() * (q - middle)).sum(-1)


def _skew(p: Tensor, q: Tensor, skew: float) -> Tensor:
    share = torch.tensor([skew, 1.0 - skew], dtype=p.dtype, device=p.device).log()
    return (p.exp() * (p - torch.logaddexp(q + share[0], p + share[1]))).sum(-1)


DIVERGENCES: dict[Divergence, Callable[[Tensor, Tensor, float], Tensor]] = {
    "forward": _forward,
    "reverse": _reverse,
    "js": _js,
    "skew": _skew,
}


def divergence(
    teacher: Tensor, student: Tensor, kind: Divergence, temperature: float = 1.0, skew: float = 0.1
) -> Tensor:
    """Divergence of log-buckets (n, k + 1) each, in nats a row (n,), differentiable.

    The temperature acts on the buckets of both sides (b^(1/T), renormalised), because the tail's mass at
    another temperature cannot be known from the top k; T^2 stands outside, as usual (Hinton et al. 2015).
    """
    if temperature == 1.0:
        return DIVERGENCES[kind](teacher, student, skew)
    p = torch.log_softmax(teacher / temperature, dim=-1)
    q = torch.log_softmax(student / temperature, dim=-1)
    return DIVERGENCES[kind](p, q, skew) * temperature**2


def _chunk_gradient(
    logits: Tensor, ids: Tensor, teacher: Tensor, weights: Tensor, settings: tuple[Divergence, float, float]
) -> tuple[Tensor, Tensor]:
    """Row losses (n,), unweighted, and the gradient (n, V) of the weighted sum; overwrites `logits`."""
    top = logits.gather(-1, ids)
    tail = logits.scatter_(-1, ids, float("-inf")).logsumexp(-1, keepdim=True)
    whole = torch.logaddexp(top.logsumexp(-1, keepdim=True), tail)
    with torch.enable_grad():
        buckets = (torch.cat([top, tail], dim=-1) - whole).detach().requires_grad_(True)
        rows = divergence(teacher, buckets, *settings)
        (a,) = torch.autograd.grad((rows * weights).sum(), buckets)
    total = a.sum(-1, keepdim=True)
    inside = a[:, :-1] - total * buckets.detach()[:, :-1].exp()
    outside = a[:, -1:] - total * (tail - whole).exp()
    # Relative to the tail, which is the largest sum outside K: no overflow.
    gradient = logits.sub_(tail).exp_().mul_(outside)
    gradient.scatter_(-1, ids, inside)
    return rows.detach(), gradient


class _CoarseLoss(torch.autograd.Function):  # type: ignore[misc]
    """sum of weight x divergence over rows, from hidden states and head; see the module's docstring."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        head: Tensor,
        ids: Tensor,
        teacher: Tensor,
        weights: Tensor,
        settings: tuple[Divergence, float, float],
        vocabulary: int,
        dtype: torch.dtype,
        chunk: int,
    ) -> tuple[Tensor, Tensor]:
        matrix = head[:vocabulary].to(dtype)
        small = hidden.to(dtype)
        full = torch.float64 if hidden.dtype == torch.float64 else torch.float32
        rows = torch.empty(hidden.shape[0], dtype=full, device=hidden.device)
        grad_hidden = torch.empty_like(hidden)
        grad_head = torch.zeros(head.shape, dtype=full, device=head.device)
        for start in range(0, hidden.shape[0], chunk):
            part = slice(start, start + chunk)
            logits = (small[part] @ matrix.T).to(full)
            rows[part], gradient = _chunk_gradient(logits, ids[part], teacher[part], weights[part], settings)
            gradient = gradient.to(dtype)
            grad_hidden[part] = (gradient @ matrix).to(hidden.dtype)
            grad_head[:vocabulary] += (gradient.T @ small[part]).to(full)
        ctx.save_for_backward(grad_hidden, grad_head.to(head.dtype))
        ctx.mark_non_differentiable(rows)
        return (rows * weights).sum(), rows

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_hidden, grad_head = ctx.saved_tensors
        scale = grads[0]
        return grad_hidden * scale, grad_head * scale, None, None, None, None, None, None, None


def coarse_loss(
    hidden: Tensor,
    head: Tensor,
    ids: Tensor,
    teacher: Tensor,
    weights: Tensor,
    *,
    kind: Divergence = "forward",
    temperature: float = 1.0,
    skew: float = 0.1,
    vocabulary: int | None = None,
    dtype: torch.dtype | None = None,
    chunk: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Weighted sum over rows (scalar, differentiable) and the unweighted nats of each row (n,).

    hidden: (n, d); head: (V, d); ids: (n, k) int64, distinct in a row; teacher: log-buckets (n, k + 1) of
    `teacher_buckets`; weights: (n,), applied here and nowhere else. Logits at and beyond `vocabulary`
    (padding) are left out. `dtype` is that of the matrix products (default: of `hidden`).
    """
    return _CoarseLoss.apply(  # type: ignore[no-any-return]
        hidden, head, ids, teacher, weights, (kind, temperature, skew),
        head.shape[0] if vocabulary is None else vocabulary, dtype or hidden.dtype,
        chunk or max(32, CHUNK_LOGITS // head.shape[0]),
    )  # fmt: skip
