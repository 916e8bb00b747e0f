"""Logistic regression on the pieces of texts, by L-BFGS; the worst parts of long harmless texts are learned as well.

scikit-learn was considered: its solvers take the same matrix, and know nothing of parts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix, vstack

from serving.guard.model.features import BUCKETS, TextPieces, pieces
from serving.guard.model.linear import CALM, SPAN, STEP, LinearModel

PENALTY = 0.1
"""Half of it times the square of all weights is added to the loss."""
STEPS = 40
MININGS = 1
"""How often the worst parts of long harmless texts are looked for."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Folded texts as pieces, and as rows of a matrix [texts, buckets]."""

    found: list[TextPieces]
    matrix: csr_matrix

    @classmethod
    def of(cls, folded: Sequence[str]) -> Texts:
        """The pieces of `folded`."""
        found = [pieces(text) for text in folded]
        return cls(found, matrix([(each, 0, each.n) for each in found]))


def matrix(stretches: Sequence[tuple[TextPieces, int, int]]) -> csr_matrix:
    """A row for each stretch of a text: how often each bucket occurs in it, by `share`."""
    held, ends, worth = [np.empty(0, np.int64)], [0], [np.empty(0, np.float32)]
    for found, start, stop in stretches:
        words = (found.word_at >= start) & (found.word_at < stop)
        pairs = (found.pair_at >= start) & (found.pair_at < stop)
        here = [found.runs[:, start:stop].ravel(), found.words[:, words].ravel(), found.pairs[pairs]]
        buckets, counts = np.unique(np.concatenate(here), return_counts=True)
        held.append(buckets)
        worth.append((counts * share(stop - start)).astype(np.float32))
        ends.append(ends[-1] + len(buckets))
    columns = np.concatenate(held).astype(np.int32)
    shape = (len(stretches), BUCKETS)
    return csr_matrix((np.concatenate(worth), columns, np.array(ends, np.int32)), shape, np.float32)


def share(n: int) -> float:
    """What one piece of `n` characters counts: as in the score; of a long text, as in the mean score of its parts."""
    return 1 / math.sqrt(n + CALM) if n <= SPAN else SPAN / n / math.sqrt(SPAN + CALM)


def fit(
    texts: Texts, labels: NDArray[np.float64], weights: NDArray[np.float64], penalty: float = PENALTY
) -> LinearModel:
    """Weights in 32 bits, without thresholds; `labels` are 1 for attacks, 0 for harmless texts, [texts]."""
    rows, wanted, counts = texts.matrix, labels, weights
    start = np.zeros(BUCKETS + 1)
    long = [n for n, found in enumerate(texts.found) if found.n > SPAN and not labels[n]]
    taken: set[tuple[int, int]] = set()
    for mining in range(MININGS + 1):
        start = _solved(rows, wanted, counts, penalty, start)
        model = LinearModel(start[:-1].astype(np.float32), float(start[-1]), 0.0, 0.0, 0.0)
        if mining == MININGS or not long:
            break
        worst = {(n, worst_part(model, texts.found[n])) for n in long} - taken
        taken |= worst
        found = sorted(worst)
        if found:
            rows = vstack([rows, matrix([(texts.found[n], at, at + SPAN) for n, at in found])], "csr")
            wanted = np.concatenate((wanted, np.zeros(len(found))))
            counts = np.concatenate((counts, [weights[n] for n, _ in found]))
    return model


def worst_part(model: LinearModel, found: TextPieces) -> int:
    """Where the part of a long text begins that looks most like an attack."""
    total = np.concatenate(([0.0], np.add.accumulate(model.worth(found), dtype=np.float64)))
    begins = np.arange(0, found.n - SPAN + 1, STEP)
    return int(begins[np.argmax(total[begins + SPAN] - total[begins])])


def _solved(
    rows: csr_matrix,
    wanted: NDArray[np.float64],
    counts: NDArray[np.float64],
    penalty: float,
    start: NDArray[np.float64],
) -> NDArray[np.float64]:
    flipped = rows.T.tocsr()
    signs = 2 * wanted - 1

    def loss(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margins = signs * (rows @ at[:-1].astype(np.float32) + at[-1])
        wrong = -signs * counts / (1 + np.exp(np.clip(margins, -50, 50)))
        slope = np.append(flipped @ wrong.astype(np.float32) + penalty * at[:-1], wrong.sum())
        return float(counts @ np.logaddexp(0, -margins) + penalty / 2 * (at[:-1] @ at[:-1])), slope

    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS}).x)
