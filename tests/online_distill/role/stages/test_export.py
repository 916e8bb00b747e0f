"""The export stage: blended weights, in a folder that an engine can load."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from deploy.engines.fingerprint import read_fingerprint
from online_distill import models
from online_distill.data.rows import read_rows, write_rows
from online_distill.role.context import Context
from online_distill.role.stages.export import BLEND, MODEL, export_stage
from online_distill.role.stages.select import DEVELOPMENT
from online_distill.teacher.targets import load_all
from online_distill.train.checkpoint import CHECKPOINT, trained_weights
from tests.online_distill.world import quick_config
from understudy.files import is_ready, read_json, write_json


def test_the_export_holds_an_untied_head_and_the_parents_tokenizer(finished: Context) -> None:
    folder = finished.registry.path("v2")
    assert read_json(folder / "config.json")["tie_word_embeddings"] is False
    assert (folder / "tokenizer.json").read_bytes() == (finished.registry.path("v1") / "tokenizer.json").read_bytes()
    assert models.finite(models.load(folder))


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_the_candidate_lies_between_its_parent_and_the_trained_weights(finished_copy: Context, share: float) -> None:
    (finished_copy.folder("export") / "weights" / "READY").unlink()
    (finished_copy.folder("export") / BLEND).unlink()
    summary = export_stage(replace(finished_copy, config=quick_config(blend=share))).summary
    assert summary["blend"] == share
    assert "blends" not in summary
    before = models.load(finished_copy.registry.path("v1")).state_dict()
    trained = trained_weights(finished_copy.folder("distil") / CHECKPOINT)
    after = models.load(finished_copy.folder("export") / MODEL).state_dict()
    assert any(not torch.equal(before[name], trained[name]) for name in before)
    for name, value in after.items():
        expected = (1 - share) * before[name] + share * trained[name]
        torch.testing.assert_close(value, expected, rtol=1e-2, atol=1e-4)


def test_the_fingerprint_repeats_no_text_of_the_round(finished_copy: Context) -> None:
    texts = [item.tokens.tolist() for item in load_all(finished_copy.folder("score"), finished_copy.vault)]
    known = {tuple(text[at : at + 4]) for text in texts for at in range(len(text) - 3)}
    probes = read_fingerprint(finished_copy.folder("export") / MODEL).probes
    assert len(probes) == 4
    assert not known & {probe.prompt[at : at + 4] for probe in probes for at in range(len(probe.prompt) - 3)}


def test_weights_that_were_written_are_not_written_again(finished_copy: Context) -> None:
    weights = finished_copy.folder("export") / MODEL / "model.safetensors"
    assert is_ready(finished_copy.folder("export") / "weights")
    written = weights.stat().st_mtime_ns
    assert export_stage(finished_copy).summary["separation"] > 0
    assert weights.stat().st_mtime_ns == written


def test_a_stage_that_is_begun_again_takes_the_blend_that_was_chosen_before(finished_copy: Context) -> None:
    folder = finished_copy.folder("export")
    (folder / "weights" / "READY").unlink()
    rows = read_rows(finished_copy.folder("select") / "holdout.jsonl", finished_copy.vault)
    write_rows(finished_copy.folder("select") / DEVELOPMENT, rows, finished_copy.vault)
    (folder / BLEND).unlink()
    context = replace(finished_copy, config=quick_config(blends=[1.0, 0.25]))
    first = export_stage(context).summary
    assert first["blend_rows"]["general"] + first["blend_rows"]["new"] == first["blend_rows"]["of"] == len(rows)
    assert [one["blend"] for one in first["blends"]] == [0.25, 1.0]
    (folder / "weights" / "READY").unlink()
    write_json(folder / BLEND, {**read_json(folder / BLEND), "blend": 0.7})  # as another run would not have chosen
    (finished_copy.folder("select") / DEVELOPMENT).unlink()
    again = export_stage(context).summary
    assert again["blend"] == 0.7
    assert again["sha256"] != first["sha256"]
