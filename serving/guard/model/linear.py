"""Log-odds of an attack: the weights of a text's pieces by the root of its length; of a long text its worst part.

A part is a stretch of `SPAN` characters: what stands far from an attack takes nothing from the part that holds it, and
a long text is no more suspicious than its parts are.
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from serving.guard.model.features import BUCKETS, LONGEST, TextPieces, pieces

FOLDER = Path(__file__).parent
SPAN, STEP = 512, 128
"""Characters of a part, and after how many the next begins; a text of no more than one is scored as a whole."""
CALM = 16
"""Characters that are added to a length, so that a word or two decide nothing."""


@dataclass(frozen=True, slots=True)
class LinearModel:
    """Weights by bucket, float32 [2^18]; a score from `flag` on is caught, from `degrade` on not served."""

    weights: NDArray[np.float32]
    bias: float
    han: float
    """Added to the log-odds of a text of Han characters alone, and its share to those of others: there are fewer
    attacks in Chinese to learn from."""
    flag: float
    degrade: float

    @classmethod
    def load(cls, folder: Path = FOLDER) -> LinearModel:
        """The weights that lie in `folder`: whole numbers of eight bits with one scale, and thresholds.

        Raises:
            ValueError: they are not those that the thresholds were chosen for.
        """
        return _loaded(folder)

    def score(self, folded: str) -> float:
        """Log-odds of an attack of a folded text; the higher, the worse. Linear in its length."""
        if len(folded) <= LONGEST:
            return self.of(pieces(folded))
        step = LONGEST - 2 * SPAN
        return max(self.of(pieces(folded[at : at + LONGEST])) for at in range(0, len(folded), step))

    def of(self, found: TextPieces) -> float:
        """Log-odds of a text of these pieces."""
        if not found.n:
            return self.bias
        shift = self.bias + self.han * len(found.pairs) / found.n
        if found.n > SPAN:
            total = np.add.accumulate(self.worth(found), dtype=np.float64)
            sums = total[SPAN - 1 :: STEP].copy()
            sums[1:] -= total[STEP - 1 :: STEP][: len(sums) - 1]
            last = float(total[-1] - total[-1 - SPAN])
            return shift + max(last, float(sums.max())) / math.sqrt(SPAN + CALM)
        weights = self.weights
        total = np.add.reduce(weights.take(found.runs), axis=None) + np.add.reduce(weights.take(found.words), axis=None)
        if len(found.pairs):
            total += np.add.reduce(weights.take(found.pairs))
        return shift + float(total) / math.sqrt(found.n + CALM)

    def worth(self, found: TextPieces) -> NDArray[np.float32]:
        """What each character is worth, float32 [n]: the weights of all pieces that begin there."""
        weights = self.weights
        worth: NDArray[np.float32] = np.add.reduce(weights.take(found.runs), axis=0)
        if len(found.word_at):
            worth += np.bincount(found.word_at, np.add.reduce(weights.take(found.words), axis=0), found.n)
        if len(found.pairs):
            worth[found.pair_at] += weights.take(found.pairs)
        return worth


@functools.cache
def _loaded(folder: Path) -> LinearModel:
    told = json.loads((folder / "model.json").read_text("utf-8"))
    whole = np.load(folder / "weights.npz")["weights"]
    if whole.shape != (BUCKETS,) or whole.dtype != np.int8:
        raise ValueError(f"{folder}: weights of {whole.dtype} {whole.shape}, wanted int8 ({BUCKETS},); train them anew")
    weights = whole.astype(np.float32) * np.float32(told["scale"])
    return LinearModel(weights, told["bias"], told["han"], told["flag"], told["degrade"])
