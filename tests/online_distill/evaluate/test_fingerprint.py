"""A fingerprint tells a version from its parent, and nothing else."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from deploy.engines.fingerprint import Fingerprint, difference, read_fingerprint
from online_distill import models
from online_distill.evaluate.fingerprint import SEPARATION, TOLERANCE, logprobs, main, mixed_prompts, record
from tests.online_distill.world import make_model, quick_config
from understudy.errors import IntegrityError


def probe_gaps(folder: Path, fingerprint: Fingerprint) -> list[float]:
    """How far a model is from each recorded probe, in nats."""
    measured = logprobs(models.load(folder), [probe.prompt for probe in fingerprint.probes])
    return [difference(probe.logprobs, found) for probe, found in zip(fingerprint.probes, measured, strict=True)]


def test_the_version_matches_its_probes_and_the_parent_misses_each_by_ten_tolerances(tmp_path: Path) -> None:
    parent, child = make_model(tmp_path / "parent", seed=1), make_model(tmp_path / "child", seed=2)
    assert main([str(child), "--parent", str(parent)]) == 0
    found = read_fingerprint(child)
    assert (found.separation or 0.0) >= SEPARATION
    assert all(len(probe.logprobs) == len(probe.prompt) - 1 for probe in found.probes)
    assert max(probe_gaps(child, found)) < TOLERANCE / 10
    assert min(probe_gaps(parent, found)) >= SEPARATION * TOLERANCE


def test_a_model_equal_to_its_parent_is_refused(tmp_path: Path) -> None:
    model = make_model(tmp_path / "m", seed=1)
    with pytest.raises(IntegrityError, match="train longer"):
        record(model, model, tmp_path / "fingerprint.json")
    assert not (tmp_path / "fingerprint.json").exists()
    assert main([str(model), "--parent", str(model)]) == 1


def test_a_first_version_has_probes_without_a_parent(tmp_path: Path) -> None:
    quick_config()
    model = make_model(tmp_path / "m", seed=1)
    own = [[0, 2, 10, 11, 12], [0]]
    found = record(model, None, tmp_path / "f.json", own)
    assert found.separation is None
    assert found.probes[0].prompt == tuple(own[0])
    assert max(probe_gaps(model, found)) < TOLERANCE / 10


def test_probes_are_made_of_what_was_said_and_repeat_none_of_it() -> None:
    texts = [np.arange(start, start + 40, dtype=np.int32) for start in (100, 200, 300)]
    made = mixed_prompts(texts)
    assert {token for prompt in made for token in prompt} <= {token for text in texts for token in text.tolist()}
    runs = [sum(b == a + 1 for a, b in pairwise(prompt)) for prompt in made]
    assert (len(made), {len(prompt) for prompt in made}, max(runs) < 4) == (48, {24}, True)
    assert made == mixed_prompts(texts)
    assert mixed_prompts([]) == []


def test_a_parent_without_probabilities_proves_nothing(tmp_path: Path) -> None:
    model, parent = make_model(tmp_path / "m", seed=1), make_model(tmp_path / "parent", seed=2)
    broken = models.load(parent)
    broken.model.norm.weight.data.fill_(float("nan"))
    models.export(broken, parent, tmp_path / "broken")
    with pytest.raises(IntegrityError, match="prove nothing"):
        record(model, tmp_path / "broken", tmp_path / "fingerprint.json")
    assert not (tmp_path / "fingerprint.json").exists()
