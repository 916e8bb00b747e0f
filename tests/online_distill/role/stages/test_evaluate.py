"""The evaluate stage: pairs for the gate; weights that are no numbers are flagged and go no further."""

from __future__ import annotations

from dataclasses import replace

import torch
from safetensors.torch import load_file, save_file

from deploy.life.config import GateConfig
from online_distill.role.context import Context
from online_distill.role.stages.evaluate import evaluate_stage
from online_distill.role.stages.export import MODEL, export_stage
from online_distill.role.stages.register import register_stage
from understudy.files import read_json


def test_weights_that_are_no_numbers_are_flagged_and_not_registered(finished_copy: Context) -> None:
    versions = [m.version for m in finished_copy.registry.versions()]
    path = finished_copy.folder("export") / MODEL / "model.safetensors"
    weights = load_file(path)
    weights["lm_head.weight"][0, 0] = float("nan")
    save_file(weights, path, metadata={"format": "pt"})
    assert export_stage(finished_copy).summary["separation"] is None
    assert evaluate_stage(finished_copy).summary["candidate_finite"] is False
    found = read_json(finished_copy.folder("evaluate") / "evaluation.json")
    assert {row["candidate"]["agreement"] for row in found["rows"]} == {0.0}
    outcome = register_stage(finished_copy)
    assert (outcome.event, [m.version for m in finished_copy.registry.versions()]) == ("rejected", versions)


def test_the_trained_weights_may_be_no_numbers_already(finished_copy: Context) -> None:
    checkpoint = finished_copy.folder("distil") / "checkpoint.pt"
    state = torch.load(checkpoint, weights_only=True)
    state["learner"]["model"]["lm_head.weight"][0, 0] = float("nan")
    torch.save(state, checkpoint)
    (finished_copy.folder("export") / "weights" / "READY").unlink()
    assert export_stage(finished_copy).summary["separation"] is None
    assert evaluate_stage(finished_copy).summary["candidate_finite"] is False


def test_parent_and_candidate_are_asked_what_ought_to_be_refused_where_the_gate_wants_it(
    finished_copy: Context,
) -> None:
    gated = replace(finished_copy, gate=GateConfig(safety_prompts=20))
    told = evaluate_stage(gated).summary["safety"]
    found = read_json(gated.folder("evaluate") / "evaluation.json")
    assert (found["safety"]["wanted"], len(found["safety"]["asked"]), told["n"]) == (20, 20, 20)
    assert found["summary"]["safety"]["candidate"] == sum(one["candidate"] for one in found["safety"]["asked"])
    assert len(list((gated.rounds.kept / "safety").glob("*.json"))) == 2
    off = replace(gated, gate=GateConfig(safety_prompts=0))
    assert "safety" not in evaluate_stage(off).summary
    assert read_json(gated.folder("evaluate") / "evaluation.json")["safety"] is None


def test_the_candidate_of_one_round_is_not_asked_again_as_the_parent_of_the_next(finished_copy: Context) -> None:
    gated = replace(finished_copy, gate=GateConfig(safety_prompts=20))
    evaluate_stage(gated)
    version = str(finished_copy.rounds.get(finished_copy.round.id).candidate)
    asked = sorted((gated.rounds.kept / "safety").glob("*.json"))
    evaluate_stage(replace(gated, round=replace(gated.round, parent=version)))
    assert sorted((gated.rounds.kept / "safety").glob("*.json")) == asked
