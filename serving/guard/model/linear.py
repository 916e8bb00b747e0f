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
_STEPS = SPAN // STEP
"""Characters of a part, and after how many the next begins; a text of no more than one is scored as a whole."""
CALM = 16
"""Characters that are added to a length, so that a word or two decide nothing."""


@dataclass(frozen=True, slots=True)
class LinearModel:
    """Weights by bucket, [2^18] times `scale`; a score from `flag` on is caught, from `degrade` on not served."""

    weights: NDArray[np.float32] | NDArray[np.int8]
    """Those that are shipped stay whole numbers: a quarter of a megabyte stays in the processor's cache."""
    bias: float
    han: float
    """Added to the log-odds of a text of Han characters alone, and its share to those of others: there are fewer
    attacks in Chinese to learn from."""
    flag: float
    degrade: float
    scale: float = 1.0

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
        if found.n > SPAN:
            worst, length = self._worst(found), SPAN
        else:
            worst, length = float(np.add.reduce(self.weights.take(found.buckets))), found.n
        shift = self.bias + self.han * len(found.pair_at) / found.n
        return shift + worst * self.scale / math.sqrt(length + CALM)

    def _worst(self, found: TextPieces) -> float:
        """What the worst part of a text is worth: one begins every `STEP` characters, and one ends the text."""
        worth = self.worth(found)
        steps = np.add.reduce(worth[: found.n // STEP * STEP].reshape(-1, STEP), axis=1)
        parts = sum(steps[first : len(steps) - _STEPS + first + 1] for first in range(_STEPS))
        return max(float(np.maximum.reduce(parts)), float(np.add.reduce(worth[-SPAN:])))

    def worth(self, found: TextPieces) -> NDArray[np.float32]:
        """What each character is worth, float32 [n], by `scale`: the weights of all pieces that begin there."""
        held = self.weights.take(found.buckets)
        ends = [found.n * order for order in range(4)]
        worth: NDArray[np.float32] = held[: ends[1]].astype(np.float32)
        worth += held[ends[1] : ends[2]]
        worth += held[ends[2] : ends[3]]
        if words := len(found.starts):
            both = held[ends[3] : ends[3] + words].astype(np.float32)
            both += held[ends[3] + words : ends[3] + 2 * words]
            worth += np.bincount(found.word_at, both, found.n)
        if pairs := len(found.pair_at):
            worth[found.pair_at] += held[len(held) - pairs :]
        return worth


@functools.cache
def _loaded(folder: Path) -> LinearModel:
    told = json.loads((folder / "model.json").read_text("utf-8"))
    whole = np.load(folder / "weights.npz")["weights"]
    if whole.shape != (BUCKETS,) or whole.dtype != np.int8:
        raise ValueError(f"{folder}: weights of {whole.dtype} {whole.shape}, wanted int8 ({BUCKETS},); train them anew")
    return LinearModel(whole, told["bias"], told["han"], told["flag"], told["degrade"], told["scale"])
