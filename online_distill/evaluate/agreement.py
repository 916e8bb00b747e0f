"""Agreement: how often the student's argmax, given the teacher's prefix, is the teacher's token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from online_distill import models
from online_distill.data.encoding import Encoded

REPLY_TOKENS = 64
"""Of the teacher's reply, these many at most are compared."""


def agreement(model: Any, texts: Sequence[Encoded], batch_tokens: int = 4096) -> list[float]:
    """Share of agreeing tokens of each text, in [0, 1], in the order given.

    A text is a prompt and the teacher's greedy reply with its end token. Logits that are no numbers agree
    with nothing.
    """
    cut = [Encoded(text.tokens[: text.start + REPLY_TOKENS], text.start) for text in texts]
    shares = [0.0] * len(cut)
    for batch in models.by_length([len(text.tokens) for text in cut], batch_tokens):
        logits = models.reply_logits(model, [cut[i].tokens for i in batch], [cut[i].start for i in batch])
        for index, rows in zip(batch, logits, strict=True):
            truth = torch.tensor(cut[index].tokens[cut[index].start :], device=rows.device)
            hits = (rows.argmax(-1) == truth) & torch.isfinite(rows).all(-1)
            shares[index] = float(hits.float().mean())
    return shares
