"""The fingerprint of a version: log-probabilities of probe prompts that tell it from its parent.

The engine agent asks the same of its engine after each load. The probes are chosen so that the parent's
weights miss by at least ten tolerances.
`python -m online_distill.evaluate.fingerprint MODEL [--parent DIR]` writes one.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from deploy.engines.fingerprint import FINGERPRINT_FILE, Fingerprint, Probe, difference, write_fingerprint
from online_distill import models
from understudy.errors import IntegrityError, UnderstudyError

TOLERANCE = 0.02
"""Nats; engine and transformers differ by less than 1e-4 in float32."""
SEPARATION = 10.0
"""Tolerances by which the parent must miss."""
PROBES = 4
LENGTH = 24
"""Tokens of a probe."""
RANDOM_CANDIDATES = 32
MIXED_CANDIDATES = 48


def logprobs(model: Any, prompts: Sequence[Sequence[int]]) -> list[list[float]]:
    """For each prompt the natural log-probability of its own tokens at positions 1..n-1."""
    logits = models.reply_logits(model, prompts, [1] * len(prompts))
    found = []
    for prompt, rows in zip(prompts, logits, strict=True):
        own = torch.tensor(prompt[1:], device=rows.device)[:, None]
        found.append(rows.log_softmax(-1).gather(-1, own)[:, 0].tolist())
    return found


def random_prompts(vocabulary: int, count: int, seed: int = 0) -> list[list[int]]:
    """Reproducible token sequences; rare contexts, in which any two models differ."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, vocabulary, (count, LENGTH), generator=generator).tolist()  # type: ignore[no-any-return]


def mixed_prompts(texts: Sequence[NDArray[np.int32]], count: int = MIXED_CANDIDATES, seed: int = 0) -> list[list[int]]:
    """Tokens of all texts at random, each text's (n,) int32: what a version learned shows there, and nothing of what
    anybody wrote, for a fingerprint goes with its version and is never purged."""
    if not texts:
        return []
    drawn = np.random.default_rng(seed).choice(np.concatenate(texts), (count, LENGTH))
    return drawn.tolist()  # type: ignore[no-any-return]


def record(
    model_dir: Path, parent_dir: Path | None, out: Path, candidates: Sequence[Sequence[int]] = ()
) -> Fingerprint:
    """Choose probes, write the fingerprint to `out` and return it. Computed in float32 from stored weights.

    `candidates` are token sequences to choose from beside random ones; each is cut to 24 tokens.

    Raises:
        IntegrityError: weights or probabilities that are no numbers, or a model that cannot be told from its parent.
    """
    model = models.load(model_dir)
    if not models.finite(model):
        raise IntegrityError(f"{model_dir} has weights that are no numbers; it cannot be fingerprinted")
    prompts = [list(c[:LENGTH]) for c in candidates if len(c) > 1]
    prompts += random_prompts(model.config.vocab_size, RANDOM_CANDIDATES)
    own = logprobs(model, prompts)
    gaps = [0.0] * len(prompts)
    if parent_dir is not None:
        gaps = [difference(a, b) for a, b in zip(own, logprobs(models.load(parent_dir), prompts), strict=True)]
    if not all(map(math.isfinite, (*gaps, *(value for row in own for value in row)))):
        raise IntegrityError(f"{model_dir} or its parent gives probabilities that are no numbers, which prove nothing")
    best = sorted(range(len(prompts)), key=lambda i: -gaps[i])[:PROBES]
    separation = gaps[best[-1]] / TOLERANCE
    if parent_dir is not None and separation < SEPARATION:
        raise IntegrityError(
            f"{model_dir} differs from its parent by {separation:.1f} tolerances, less than {SEPARATION:.0f}: "
            "it has learned too little to be told apart; train longer or on more samples"
        )
    fingerprint = Fingerprint(
        tolerance=TOLERANCE,
        separation=separation if parent_dir is not None else None,
        probes=tuple(Probe(prompt=tuple(prompts[i]), logprobs=tuple(own[i])) for i in best),
    )
    write_fingerprint(out, fingerprint)
    return fingerprint


def main(argv: list[str] | None = None) -> int:
    """Write MODEL/fingerprint.json (or --out). Exit code 0 done, 1 failed."""
    parser = argparse.ArgumentParser(prog="python -m online_distill.evaluate.fingerprint", description=__doc__)
    parser.add_argument("model", type=Path, help="folder of the model")
    parser.add_argument("--parent", type=Path, help="folder of the version that it must be told from")
    parser.add_argument("--out", type=Path, help=f"file to write; default MODEL/{FINGERPRINT_FILE}")
    given = parser.parse_args(argv)
    models.prepare(1)
    try:
        found = record(given.model, given.parent, given.out or given.model / FINGERPRINT_FILE)
    except UnderstudyError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code
    print(f"{given.out or given.model / FINGERPRINT_FILE}: {len(found.probes)} probes, separation {found.separation}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
