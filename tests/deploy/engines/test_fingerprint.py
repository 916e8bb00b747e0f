"""Whether an engine serves what the version says."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy.engines.fingerprint import (
    FINGERPRINT_FILE,
    Fingerprint,
    FingerprintMismatch,
    Probe,
    check,
    difference,
    read_fingerprint,
    write_fingerprint,
)


async def test_a_fingerprint_is_met_within_its_tolerance_only() -> None:
    recorded = Fingerprint(probes=(Probe(prompt=(1, 2, 3), logprobs=(-1.0, -2.0)),))

    async def near(prompt: Sequence[int]) -> list[float]:
        return [-1.01, -2.0]

    async def far(prompt: Sequence[int]) -> list[float]:
        return [-1.0, -2.1]

    async def nan(prompt: Sequence[int]) -> list[float]:
        return [-1.0, float("nan")]

    assert await check(recorded, near) == pytest.approx(0.01)
    for wrong in (far, nan):
        with pytest.raises(FingerprintMismatch, match="nats"):
            await check(recorded, wrong)


@pytest.mark.parametrize("text", [None, "{", '{"probes": []}', '{"schema_version": 2, "probes": [{"prompt": [1, 2]}]}'])
def test_a_missing_or_wrong_fingerprint_is_a_reason_not_to_serve(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "fingerprint.json").write_text(text)
    with pytest.raises(FingerprintMismatch):
        read_fingerprint(tmp_path)


@pytest.mark.parametrize(
    ("recorded", "measured"),
    [([], []), ([1.0], [1.0, 2.0]), ([math.inf], [math.inf]), ([math.nan], [0.0]), ([1.0, 0.0], [1.0, math.nan])],
)
def test_what_cannot_be_compared_is_infinitely_far(recorded: list[float], measured: list[float]) -> None:
    assert difference(recorded, measured) == math.inf


def test_the_largest_difference_counts() -> None:
    assert difference([1.0, -3.0], [1.5, -3.0]) == 0.5


def test_what_is_written_is_read_again_with_how_far_the_parent_misses(tmp_path: Path) -> None:
    made = Fingerprint(probes=(Probe(prompt=(1, 2, 3), logprobs=(-1.0, -2.0)),), separation=12.5)
    write_fingerprint(tmp_path / FINGERPRINT_FILE, made)
    assert read_fingerprint(tmp_path) == made
    former = {"schema_version": 1, "tolerance": 0.02, "probes": [{"prompt": [1, 2], "logprobs": [-1.0]}]}
    (tmp_path / FINGERPRINT_FILE).write_text(json.dumps(former))
    assert read_fingerprint(tmp_path).separation is None
