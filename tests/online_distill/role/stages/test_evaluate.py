"""The evaluate stage: pairs for the gate; weights that are no numbers are flagged and go no further."""

from __future__ import annotations

import torch
from safetensors.torch import load_file, save_file

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
