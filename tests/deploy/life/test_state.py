"""The controller's state as a file: what a former version wrote is read under today's names."""

from __future__ import annotations

from pathlib import Path

import pytest

from ab.summary import Stat
from deploy.life.state import Baseline, CanaryState, ControlState, load, save
from understudy.errors import IntegrityError


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    state = ControlState(stable="v2", bad={"v3": "变了"}, canary=CanaryState(version="v4", step=1))
    save(tmp_path / "rollout.json", state)
    assert load(tmp_path / "rollout.json") == state
    assert load(tmp_path / "none.json") is None


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "rollout.json").write_text("{", "utf-8")
    with pytest.raises(IntegrityError, match=r"rollout\.json cannot be read"):
        load(tmp_path / "rollout.json")


def test_baselines_of_a_former_version_are_those_of_the_similarity() -> None:
    summary = {"n": 3, "mean": 0.5, "var": 0.1}
    canary = CanaryState.model_validate({"version": "v4", "before": {"v4": {"agreement": summary, "latency": summary}}})
    assert canary.before == {"v4": {"similarity": Baseline(**summary), "latency": Baseline(**summary)}}
    assert canary.before["v4"]["similarity"].stat() == Stat(3, 0.5, 0.1)
