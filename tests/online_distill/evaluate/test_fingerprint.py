"""A fingerprint tells a version from its parent, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from online_distill import models
from online_distill.evaluate.fingerprint import SEPARATION, TOLERANCE, difference, logprobs, main, record
from tests.online_distill.world import make_model, quick_config
from understudy.errors import IntegrityError
from understudy.files import read_json


def probe_gaps(folder: Path, fingerprint: dict[str, list[dict[str, list[float]]]]) -> list[float]:
    """How far a model is from each recorded probe, in nats."""
    probes = fingerprint["probes"]
    measured = logprobs(models.load(folder), [[int(t) for t in probe["prompt"]] for probe in probes])
    return [difference(probe["logprobs"], found) for probe, found in zip(probes, measured, strict=True)]


def test_the_version_matches_its_probes_and_the_parent_misses_each_by_ten_tolerances(tmp_path: Path) -> None:
    parent, child = make_model(tmp_path / "parent", seed=1), make_model(tmp_path / "child", seed=2)
    assert main([str(child), "--parent", str(parent)]) == 0
    found = read_json(child / "fingerprint.json")
    assert found["schema_version"] == 1
    assert all(len(probe["logprobs"]) == len(probe["prompt"]) - 1 for probe in found["probes"])
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
    assert found["separation"] is None
    assert found["probes"][0]["prompt"] == own[0]
    assert max(probe_gaps(model, found)) < TOLERANCE / 10


def test_values_that_are_no_numbers_never_match() -> None:
    assert difference([1.0, 2.0], [1.0, float("nan")]) == float("inf")
    assert difference([1.0], [1.0, 2.0]) == float("inf")
    assert difference([1.0, -3.0], [1.5, -3.0]) == 0.5
