"""Whether an engine serves what the version says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy.engines.fingerprint import Fingerprint, FingerprintMismatch, Probe, check, difference, read_fingerprint


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
    assert difference([1.0], [1.0, 2.0]) == float("inf")


@pytest.mark.parametrize("text", [None, "{", '{"probes": []}', '{"schema_version": 2, "probes": [{"prompt": [1, 2]}]}'])
def test_a_missing_or_wrong_fingerprint_is_a_reason_not_to_serve(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "fingerprint.json").write_text(text)
    with pytest.raises(FingerprintMismatch):
        read_fingerprint(tmp_path)
