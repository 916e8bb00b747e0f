"""What a model says greedily, many prompts at once.

`generate` of transformers was considered: it goes on with rows that have ended, which costs the demo's student twice
the time, reads sampling settings of the model's folder, and tells nobody how far it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache


def greedy(
    model: Any, prompts: Sequence[Sequence[int]], ends: Collection[int], most: int, go_on: Callable[[], bool]
) -> list[list[int]] | None:
    """Up to `most` tokens for each prompt, without the one of `ends` that ended it, in the order of `prompts`.

    `go_on` is asked before each token; None as soon as it says no. Prompts are padded on the left.
    """
    device = next(model.parameters()).device
    longest = max(map(len, prompts))
    tokens = torch.tensor([[0] * (longest - len(p)) + list(p) for p in prompts], device=device)
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=device)
    at, cache = (mask.cumsum(-1) - 1).clamp(min=0), DynamicCache(config=model.config)
    said: list[list[int]] = [[] for _ in prompts]
    rows = list(range(len(prompts)))
    with torch.inference_mode():
        for _ in range(most):
            if not go_on():
                return None
            found = _next(model, tokens, mask, at, cache)
            kept = [i for i, token in enumerate(found.tolist()) if token not in ends]
            for i in kept:
                said[rows[i]].append(int(found[i]))
            if not kept:
                break
            if len(kept) < len(rows):
                chosen = torch.tensor(kept, device=device)
                cache.batch_select_indices(chosen)
                found, mask, at, rows = found[chosen], mask[chosen], at[chosen], [rows[i] for i in kept]
            tokens, at = found[:, None], at[:, -1:] + 1
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], 1)
    return said


def _next(model: Any, tokens: Tensor, mask: Tensor, at: Tensor, cache: DynamicCache) -> Tensor:
    """The likeliest next token of each row (n,)."""
    found = model(
        input_ids=tokens, attention_mask=mask, position_ids=at, past_key_values=cache, use_cache=True, logits_to_keep=1
    )
    best: Tensor = found.logits[:, -1].argmax(-1)
    return best
