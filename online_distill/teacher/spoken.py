"""Targets of a teacher that gives its text and nothing else: each token of the text for certain.

Where tokenizers differ, or an API tells no log-probabilities, the student reads the text in tokens of its own. Such a
target has the width of all others, its further tokens ruled out, so that there is one form of targets for shards,
cache and losses, and a round may mix both kinds. What is left of the forward divergence is the cross-entropy of the
text: tokens that are ruled out weigh exp(-80), and the tail bucket its floor of 2e-5, a label smoothing of that size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from online_distill.data.encoding import Encoded
from online_distill.teacher.targets import TopK


def certain(tokens: Sequence[int], k: int) -> TopK:
    """For each token a row that holds it for certain, and k - 1 other ids that are ruled out.

    tokens: ids of a vocabulary of more than k entries; k >= 1.
    """
    own = np.array(tokens, np.int32)[:, None]
    others = np.broadcast_to(np.arange(k, dtype=np.int32), (len(own), k))
    # The ids 0..k-1 without the row's own, or without the last where that is none of them: k - 1 of them, distinct.
    dropped = np.where(own < k, own, k - 1)
    rest = others[others != dropped].reshape(len(own), k - 1)
    logprobs = np.full((len(own), k), -np.inf, np.float32)
    logprobs[:, 0] = 0.0
    return TopK(np.hstack([own, rest]).astype(np.int32), logprobs)


class TextScorer:
    """`Scorer` that asks nobody: the texts themselves are what the teacher gave."""

    def __init__(self, *, top_k: int) -> None:
        self._top_k = top_k

    def score(self, texts: Sequence[Encoded]) -> list[TopK]:
        """See `Scorer.score`; raises nothing."""
        return [certain(text.tokens[text.start :], self._top_k) for text in texts]

    def close(self) -> None:
        """There is nothing to give back."""
