"""Agreement: how often the student's argmax, given the teacher's prefix, is the teacher's token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from online_distill import models
from online_distill.data.encoding import Encoded

REPLY_TOKENS = 64
"""Of the teacher's reply, these many at most are compared."""
NOTHING = -1
"""In place of a token where the logits are no numbers; it agrees with none."""


def cut(text: Encoded) -> Encoded:
    """What is compared of a text."""
    return Encoded(text.tokens[: text.start + REPLY_TOKENS], text.start)


def argmax(model: Any, texts: Sequence[Encoded], batch_tokens: int = 4096) -> list[list[int]]:
    """The model's argmax at each token of each reply (REPLY_TOKENS at most), given the tokens before it in the text.

    A text is a prompt and the teacher's greedy reply with its end token; the order is that of `texts`.
    """
    given = [cut(text) for text in texts]
    found: list[list[int]] = [[] for _ in given]
    for batch in models.by_length([len(text.tokens) for text in given], batch_tokens):
        logits = models.reply_logits(model, [given[i].tokens for i in batch], [given[i].start for i in batch])
        for index, rows in zip(batch, logits, strict=True):
            numbers = torch.isfinite(rows).all(-1)
            found[index] = torch.where(numbers, rows.argmax(-1), NOTHING).tolist()
    return found


def hits(text: Encoded, said: Sequence[int]) -> list[bool]:
    """Which tokens of the reply `said` gives."""
    reply = text.tokens[text.start : text.start + REPLY_TOKENS]
    return [one == other for one, other in zip(reply, said, strict=True)]


def agreement(model: Any, texts: Sequence[Encoded], batch_tokens: int = 4096) -> list[float]:
    """Share of agreeing tokens of each text, in [0, 1], in the order given."""
    found = (hits(text, said) for text, said in zip(texts, argmax(model, texts, batch_tokens), strict=True))
    return [sum(right) / len(right) for right in found]
