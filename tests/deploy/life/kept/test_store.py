"""The controller's state as files: the highest leader's counts, whoever writes last."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.life.kept.store import RolloutFiles
from deploy.life.state import CanaryState, ControlState
from understudy.errors import IntegrityError

STATE = ControlState(stable="v2", bad={"v3": "变了"}, canary=CanaryState(version="v4", step=1))


def under(folder: Path, fence: int) -> RolloutFiles:
    files = RolloutFiles(folder)
    files.fence = fence
    return files


@pytest.mark.parametrize("fence", [0, 7])
def test_what_is_saved_is_loaded(tmp_path: Path, fence: int) -> None:
    assert RolloutFiles(tmp_path).load() is None
    under(tmp_path, fence).save(STATE)
    assert RolloutFiles(tmp_path).load() == STATE
    assert ControlState.model_validate_json((tmp_path / "rollout.json").read_bytes()) == STATE


def test_what_a_replaced_leader_writes_does_not_count(tmp_path: Path) -> None:
    old, new = under(tmp_path, 1), under(tmp_path, 2)
    old.save(STATE)
    new.save(ControlState(stable="v5"))
    old.save(ControlState(stable="v9"))
    assert RolloutFiles(tmp_path).load() == ControlState(stable="v5")


def test_the_state_of_a_release_without_leaders_is_taken_over(tmp_path: Path) -> None:
    under(tmp_path, 0).save(STATE)
    files = under(tmp_path, 3)
    assert files.load() == STATE
    files.save(ControlState(stable="v5"))
    assert (tmp_path / "rollout.json").resolve().name == "rollout.3.json"
    assert RolloutFiles(tmp_path).load() == ControlState(stable="v5")


def test_of_many_leaders_only_the_last_ones_files_stay(tmp_path: Path) -> None:
    for fence in range(1, 6):
        under(tmp_path, fence).save(STATE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rollout.4.json", "rollout.5.json", "rollout.json"]


@pytest.mark.parametrize("fence", [0, 2])
def test_a_broken_file_is_named_and_set_aside(tmp_path: Path, fence: int) -> None:
    files = under(tmp_path, fence)
    files.save(STATE)
    files.path.write_text("{", "utf-8")
    with pytest.raises(IntegrityError, match=rf"{files.path.name} cannot be read"):
        RolloutFiles(tmp_path).load()
    aside = files.set_aside()
    assert aside is not None
    assert aside.read_text("utf-8") == "{"
    assert RolloutFiles(tmp_path).load() is None
