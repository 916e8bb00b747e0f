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

from typing import Any

import torch
from torch import Tensor

from online_distill.losses.divergences import divergence
from online_distill.losses.kinds import Divergence
from online_distill.losses.usable import faults, require_tail

CHUNK_LOGITS = 1 << 22
"""Logits that exist at once, unless a chunk is asked for."""


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

    hidden: (n, d); head: (V, d); ids: (n, k) int64; teacher: log-buckets (n, k + 1) of `teacher_buckets`; weights:
    (n,), applied here and nowhere else. Logits at and beyond `vocabulary` (padding) are left out. `dtype` is that
    of the matrix products (default: of `hidden`).

    A row with a weight of 0 or of no number, or with targets that cannot be learned from (see `faults`), has no
    part in anything: 0 nats and a gradient of 0, whatever else stands in it.

    Raises:
        ValueError: the teacher's tokens are the whole vocabulary.
    """
    entries = head.shape[0] if vocabulary is None else vocabulary
    require_tail(ids.shape[-1], entries)
    sound = (faults(ids, teacher[:, :-1], entries) == 0) & torch.isfinite(weights) & (weights != 0)
    settings = ((kind, temperature, skew), entries, dtype or hidden.dtype, chunk or _chunk(head))
    if bool(sound.all()):
        return _CoarseLoss.apply(hidden, head, ids, teacher, weights, *settings)  # type: ignore[no-any-return]
    loss, rows = _CoarseLoss.apply(hidden[sound], head, ids[sound], teacher[sound], weights[sound], *settings)
    return loss, rows.new_zeros(len(sound)).masked_scatter(sound, rows)


def _chunk(head: Tensor) -> int:
    return max(32, CHUNK_LOGITS // int(head.shape[0]))
