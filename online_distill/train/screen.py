"""What of the targets can be learned from at all: said once, before the first step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch

from online_distill.losses.usable import FAULTS, faults, require_tail
from online_distill.teacher.targets import Scored
from understudy.errors import IntegrityError


def screened(items: Sequence[Scored], vocabulary: int) -> tuple[list[Scored], dict[str, int]]:
    """The texts that a student of `vocabulary` entries can learn from, and how much was dropped, by what is wrong.

    Texts are dropped whole where their own tokens are at fault; of the others the loss leaves out single rows.

    Raises:
        IntegrityError: nothing is left, or the targets leave no tail.
    """
    kept, dropped = list[Scored](), Counter[str]()
    for item in items:
        wrong = _text_fault(item, vocabulary)
        found = None if wrong else _row_faults(item, vocabulary)
        if found is None:
            dropped[f"texts: {wrong}"] += 1
            continue
        dropped.update(f"rows: {FAULTS[number - 1]}" for number in found.tolist() if number)
        if bool((found == 0).any()):
            kept.append(item)
    if not kept:
        why = ", ".join(f"{count} {name}" for name, count in sorted(dropped.items())) or "there are none"
        raise IntegrityError(f"no target of the round can be learned from ({why}); look at its score stage")
    return kept, dict(sorted(dropped.items()))


def _text_fault(item: Scored, vocabulary: int) -> str:
    if not 0 < item.start < len(item.tokens) or len(item.top.ids) != len(item.tokens) - item.start:
        return "a row for each token of the reply is wanted"
    if item.top.ids.shape != item.top.logprobs.shape:
        return "ids and log-probabilities of different shapes"
    if item.tokens.min() < 0 or item.tokens.max() >= vocabulary:
        return "a token beyond the vocabulary"
    if not (np.isfinite(item.weight) and item.weight >= 0):
        return "a weight that is no number"
    return ""


def _row_faults(item: Scored, vocabulary: int) -> torch.Tensor:
    try:
        require_tail(item.top.ids.shape[1], vocabulary)
    except ValueError as error:
        raise IntegrityError(str(error)) from None
    return faults(torch.from_numpy(item.top.ids).long(), torch.from_numpy(item.top.logprobs), vocabulary)
