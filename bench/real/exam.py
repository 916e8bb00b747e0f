"""What a student of a real teacher is judged by: the teacher's replies to prompts that neither learned."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from bench.real.prompts import RealPrompt
from bench.real.replies import KeptReplies, greedy
from feedback.checks.semantic import similarity
from online_distill import models
from online_distill.data.encoding import Encoded, Encoder
from online_distill.evaluate.agreement import REPLY_TOKENS, argmax, hits
from serving.up.report.figures import common

NORMAL = 1.96
"""Quantile of a two-sided interval of 95 %."""
Mark = dict[str, float]


class RealExam:
    """Prompts by slice, each with the teacher's greedy reply, which `kept` has or asks for."""

    def __init__(self, encoder: Encoder, slices: Mapping[str, Sequence[RealPrompt]], kept: KeptReplies) -> None:
        self._encoder = encoder
        self._slices = {name: list(prompts) for name, prompts in slices.items() if prompts}
        self._truth = {name: kept.of(prompts) for name, prompts in self._slices.items()}

    def mark(self, folder: Path) -> dict[str, Mark]:
        """The marks of the model in `folder` by slice."""
        model = models.load(folder)
        found = {}
        for name, prompts in self._slices.items():
            truth = self._truth[name]
            texts = [self._text(one, reply) for one, reply in zip(prompts, truth, strict=True)]
            right = [hits(text, said) for text, said in zip(texts, argmax(model, texts), strict=True)]
            found[name] = marks([one.group for one in prompts], right) | self._spoken(
                truth, greedy(model, self._encoder, prompts)
            )
        return found

    def _text(self, one: RealPrompt, reply: Sequence[int]) -> Encoded:
        prompt = self._encoder.prompt(list(one.messages))
        return Encoded([*prompt, *reply[:REPLY_TOKENS]], len(prompt))

    def _spoken(self, truth: Sequence[Sequence[int]], said: Sequence[Sequence[int]]) -> Mark:
        same = sum(common(one, other) for one, other in zip(truth, said, strict=True))
        texts = [(self._encoder.text(one), self._encoder.text(other)) for one, other in zip(truth, said, strict=True)]
        return {
            "prefix": round(same / sum(map(len, truth)), 4),
            "similarity": round(fmean(similarity(*pair) for pair in texts), 4),
        }


def marks(groups: Sequence[str], right: Sequence[Sequence[bool]]) -> Mark:
    """Agreement with its interval, and exact replies, of replies whose tokens are right or not."""
    share, half = ratio(groups, [sum(row) for row in right], [len(row) for row in right])
    return {
        "n": len(right),
        "tokens": sum(len(row) for row in right),
        "agreement": round(share, 4),
        "low": round(max(0.0, share - half), 4),
        "high": round(min(1.0, share + half), 4),
        "exact": round(fmean(all(row) for row in right), 4),
    }


def ratio(groups: Sequence[str], part: Sequence[int], whole: Sequence[int]) -> tuple[float, float]:
    """Share of all `part` in all `whole`, and half the width of its interval of 95 %.

    A ratio of sums over dialogues, whose replies hang together, by its linear approximation (Cochran 1977, "Sampling
    Techniques", 6.3). One dialogue alone says nothing of the others: the width is 1 then.
    """
    parts, wholes = defaultdict[str, int](int), defaultdict[str, int](int)
    for group, one, all_ in zip(groups, part, whole, strict=True):
        parts[group] += one
        wholes[group] += all_
    total, n = sum(wholes.values()), len(wholes)
    share = sum(parts.values()) / total
    if n < 2:
        return share, 1.0
    squares = sum((parts[group] - share * wholes[group]) ** 2 for group in wholes)
    return share, NORMAL * math.sqrt(squares * n / (n - 1)) / total
