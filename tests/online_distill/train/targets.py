"""Targets out of nothing, for tests of what learns from them."""

from __future__ import annotations

import numpy as np

from online_distill.teacher.targets import Scored, TopK


def random_targets(n: int, seed: int = 0, weight: float = 1.0, k: int = 4) -> list[Scored]:
    """Texts of random tokens with random targets."""
    rng = np.random.default_rng(seed)
    found = []
    for index in range(n):
        length, start = int(rng.integers(12, 40)), int(rng.integers(4, 10))
        ids = np.stack([rng.choice(4096, k, replace=False) for _ in range(length - start)]).astype(np.int32)
        logprobs = np.log(rng.dirichlet(np.ones(k + 1), length - start)[:, :k]).astype(np.float32)
        tokens = rng.integers(6, 4096, length).astype(np.int32)
        found.append(Scored(f"{seed}/{index}", tokens, start, weight, TopK(ids, logprobs)))
    return found
