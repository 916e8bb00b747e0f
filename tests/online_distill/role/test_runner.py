"""A whole round on files, with a local teacher: resumable, idempotent, and ended where somebody ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from online_distill.role.context import Context, StageOutcome, Stopped
from online_distill.role.runner import MOST_ATTEMPTS, run_round
from online_distill.role.stages.export import MODEL
from online_distill.role.stages.table import STAGES
from understudy.errors import Unavailable
from understudy.files import read_json, write_json


def test_a_round_yields_a_signed_better_version_and_hands_over_to_the_gate(finished: Context) -> None:
    done = finished.round
    assert done.state == "gate"
    assert done.candidate == "v2"
    manifest = finished.registry.verify("v2")
    assert (manifest.parent, manifest.teacher, manifest.round) == ("v1", "t1", 1)
    assert manifest.lineage["trajectory"] == done.stages["distil"].summary["chain"]
    assert "fingerprint.json" in manifest.files
    found = read_json(finished.folder("evaluate") / "evaluation.json")
    assert found["candidate_finite"] is True
    assert {row["slice"] for row in found["rows"]} == {"hard", "general"}
    assert found["summary"]["hard/zh"]["n"] > 0
    assert done.stages["distil"].summary["loss_last"] < done.stages["distil"].summary["loss_first"]


def test_a_stage_done_twice_changes_nothing(finished_copy: Context) -> None:
    weights = (finished_copy.folder("export") / MODEL / "model.safetensors").read_bytes()
    for stage in STAGES.values():
        assert stage(finished_copy).event == "done"
    assert (finished_copy.folder("export") / MODEL / "model.safetensors").read_bytes() == weights
    assert [m.version for m in finished_copy.registry.versions()] == ["v2", "v1", "t1"]


def test_a_stop_in_any_stage_is_taken_up_again(context: Context) -> None:
    reports = 0

    def stopped() -> bool:
        nonlocal reports
        reports += 1
        return reports % 3 == 0

    interrupted, attempts = replace(context, stopped=stopped), 0
    while context.rounds.get(1).state in STAGES:
        attempts += 1
        try:
            run_round(interrupted)
        except Stopped:
            continue
    assert attempts > 1
    assert context.rounds.get(1).state == "gate"


@pytest.mark.parametrize("stage", ["score", "distil", "evaluate"])
def test_a_round_that_is_aborted_in_a_stage_stops_there(
    context: Context, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = STAGES[stage]

    def aborted(inside: Context) -> StageOutcome:
        context.rounds.fail(1, {"error": "aborted by operator"})
        return work(inside)

    monkeypatch.setitem(STAGES, stage, aborted)
    done = run_round(context)
    assert (done.state, list(done.stages)[-1]) == ("failed", stage)
    assert done.stages[stage].summary == {"error": "aborted by operator"}
    assert {m.version for m in context.registry.versions()} == {"v1", "t1"}


def test_a_stage_that_never_ends_fails_its_round_in_the_end(context: Context) -> None:
    context.folder("select").mkdir(parents=True, exist_ok=True)
    write_json(context.folder("select") / "attempts.json", {"attempts": MOST_ATTEMPTS})
    done = run_round(context)
    assert done.state == "failed"
    assert f"begun {MOST_ATTEMPTS} times" in done.stages["select"].summary["error"]


def test_waiting_for_a_part_that_is_away_is_no_attempt(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(inside: Context) -> StageOutcome:
        raise Unavailable("no teacher")

    monkeypatch.setitem(STAGES, "select", away)
    for _ in range(3):
        with pytest.raises(Unavailable):
            run_round(context)
    assert read_json(context.folder("select") / "attempts.json") == {"attempts": 0}
