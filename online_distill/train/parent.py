"""The parent's own distribution as a part of what replay rows ask for: a KL to the parent, without a second model.

For the forward KL, that to a mixture of teacher and parent is (1 - share) times that to the teacher plus share times
that to the parent, less what does not depend on the student (Rebuffi et al. 2017 distil the parent on its own kinds).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from online_distill import models
from online_distill.teacher.targets import Scored, TopK
from online_distill.train.order import is_replay


def with_parent(items: Sequence[Scored], parent: Any, share: float, batch_tokens: int) -> list[Scored]:
    """The items, of which replay has `share` of the parent in its log-probabilities, on the teacher's tokens."""
    found = list(items)
    chosen = [index for index, item in enumerate(items) if share and is_replay(item)]
    for batch in models.by_length([len(items[index].tokens) for index in chosen], batch_tokens):
        texts = [items[chosen[i]] for i in batch]
        logits = models.reply_logits(parent, [text.tokens.tolist() for text in texts], [text.start for text in texts])
        for i, text, own in zip(batch, texts, logits, strict=True):
            found[chosen[i]] = replace(text, top=_mixed(text.top, own.log_softmax(-1).cpu(), share))
    return found


def _mixed(top: TopK, parent: torch.Tensor, share: float) -> TopK:
    """Ids beyond the vocabulary stay what they are, for the loss to leave out."""
    ids = torch.from_numpy(top.ids).long().clamp(0, parent.shape[-1] - 1)
    own = parent.gather(-1, ids).numpy()
    with np.errstate(invalid="ignore"):  # what is no number stays none, for the loss to leave out as well
        mixed = np.logaddexp(top.logprobs + math.log(1 - share), own + math.log(share))
    return TopK(top.ids, mixed.astype(np.float32))
