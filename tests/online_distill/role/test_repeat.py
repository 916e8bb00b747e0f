"""A finished round is repeated from its folder to the bit; what was changed since is told."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from online_distill.data.rows import read_rows, write_rows
from online_distill.role.context import Context
from online_distill.role.repeat import main
from online_distill.role.runner import run_round
from online_distill.role.stages.select import DEVELOPMENT
from online_distill.teacher.targets import load_shard, save_shard
from tests.online_distill.world import quick_config
from tests.pasted import examples
from understudy import cli
from understudy.errors import Conflict, NotFound
from understudy.files import read_json, write_json


def state_of(context: Context) -> str:
    """The state directory of a round."""
    return str(context.folder("distil").parents[3])


def repeated(context: Context, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, object]]:
    """Exit code and JSON of the command."""
    code = main(["1", "--state", state_of(context), "--json"])
    return code, json.loads(capsys.readouterr().out)


def edit_summary(context: Context, stage: str, **changes: object) -> None:
    """Change what a stage said."""
    path = context.folder(stage) / "summary.json"
    write_json(path, {**read_json(path), **changes})


def test_a_finished_round_gives_the_same_bits_beside_serving(
    finished: Context, capsys: pytest.CaptureFixture[str], yielded: list[int], monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    code, found = repeated(finished, capsys)
    assert (code, found["equal"], found["why"], found["libraries"]) == (0, True, "", {})
    assert found["recorded"] == found["repeated"]
    manifest = finished.registry.verify("v2")
    assert found["repeated"]["model"] == manifest.files["model.safetensors"].sha256  # type: ignore[index]
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".understudy").symlink_to(state_of(finished))
    (example,) = examples("rounds repeat", capsys)
    assert cli.main(shlex.split(example)[1:]) == 0
    assert "the same weights" in capsys.readouterr().out
    assert yielded == [10, 10]


def test_a_changed_target_is_told(finished_copy: Context, capsys: pytest.CaptureFixture[str]) -> None:
    shard = sorted(finished_copy.folder("score").glob("shard-*.targets"))[0]
    items = load_shard(shard, finished_copy.vault)
    items[0].top.logprobs[0, 0] -= 1e-3
    save_shard(shard, items, finished_copy.vault)
    code, found = repeated(finished_copy, capsys)
    assert (code, found["equal"]) == (1, False)
    assert found["why"] == "the targets are others than those that the round was trained on"


def test_other_libraries_and_other_weights_are_told(finished_copy: Context, capsys: pytest.CaptureFixture[str]) -> None:
    recorded = finished_copy.summary("distil")["libraries"]
    edit_summary(finished_copy, "distil", weights="0" * 64, libraries={**recorded, "torch": "1.0"})
    code, found = repeated(finished_copy, capsys)
    assert (code, found["why"]) == (1, "the weights are others")
    assert found["libraries"] == {"torch": ["1.0", recorded["torch"]]}
    assert main(["1", "--state", state_of(finished_copy)]) == 1
    out = capsys.readouterr().out
    assert "bits may differ: torch" in out
    assert "not the same: the weights are others" in out


def test_a_changed_trajectory_or_plan_is_told(finished_copy: Context, capsys: pytest.CaptureFixture[str]) -> None:
    path = finished_copy.folder("distil") / "trajectory.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-2]))
    plan = finished_copy.folder("distil") / "plan.json"
    stored = read_json(plan)
    write_json(plan, {**stored, "recipe": {**stored["recipe"], "seed": 9}})
    _, found = repeated(finished_copy, capsys)
    assert "the plan is another" in str(found["why"])
    assert "the trajectory is another" in str(found["why"])


def test_a_blend_is_chosen_again_on_the_rows_that_it_was_chosen_on(
    context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    config = quick_config(blends=[0.5, 0.8, 1.0], development_share=0.4)
    done = run_round(replace(context, config=config))
    chosen = done.stages["export"].summary
    assert min(chosen["blend_rows"]["general"], chosen["blend_rows"]["new"]) >= 5
    manifest = context.registry.verify(str(done.candidate))
    assert manifest.lineage["blend"] == chosen["blend"]
    code, found = repeated(context, capsys)
    assert (code, found["why"]) == (0, "")
    assert found["repeated"]["blends"] == chosen["blends"]  # type: ignore[index]
    edit_summary(context, "export", blends=[{**one, "tokens": 9.0} for one in chosen["blends"]])
    assert repeated(context, capsys)[1]["why"] == "the development rows say something else of the blends"
    rows = read_rows(context.folder("select") / DEVELOPMENT, context.vault)
    write_rows(context.folder("select") / DEVELOPMENT, rows[1:], context.vault)  # as after a purge
    code, found = repeated(context, capsys)
    assert (code, "blends" in found["repeated"]) == (0, False)  # type: ignore[operator]


def test_what_cannot_be_repeated_is_refused_by_name(finished_copy: Context) -> None:
    with pytest.raises(NotFound, match="round 7"):
        main(["7", "--state", state_of(finished_copy)])
    summary = read_json(finished_copy.folder("distil") / "summary.json")
    del summary["weights"]
    write_json(finished_copy.folder("distil") / "summary.json", summary)
    with pytest.raises(Conflict, match="did not write down how"):
        main(["1", "--state", state_of(finished_copy)])


def test_a_round_that_was_not_trained_is_refused(context: Context) -> None:
    with pytest.raises(NotFound, match="not been trained to its end"):
        main(["1", "--state", state_of(context)])
