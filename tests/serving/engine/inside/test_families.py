"""Versions of each family that may be a student, loaded in each other's place by a running engine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from transformers import MistralForCausalLM, Phi3ForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM

from deploy.registry.store import Registry
from onboard.importing import ImportOptions, import_model
from serving.engine.config import EnginesConfig
from tests.engines import Engines
from tests.onboard.models import tiny
from tests.onboard.stages import silent
from tests.serving.engine import models
from tests.serving.engine.inside import alone
from understudy.state import StateDir

pytestmark = [
    pytest.mark.engines, pytest.mark.timeout(400),
    pytest.mark.skipif(os.environ.get("UNDERSTUDY_FULL") != "1", reason="an engine for each: with UNDERSTUDY_FULL=1"),
]  # fmt: skip
FAMILIES = (MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM, Phi3ForCausalLM)
PROMPTS = ((11, 205, 77, 9, 300, 42, 8, 120), tuple(range(40, 120, 2)))


def imported(state: StateDir, folder: Path, family: type, seed: int) -> Path:
    """The folder of a version of random weights, with a head of its own."""
    made = tiny(folder / str(seed), seed=seed, layers=3, family=family, head_dim=32)
    options = ImportOptions("student", dtype="float32", elsewhere=True)
    found = import_model(state, made, options, EnginesConfig(device="cpu"), silent)
    return Registry(state).path(found.manifest.version)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
async def test_a_version_takes_anothers_place_and_computes_what_transformers_does(
    engines: Engines, state_dir: StateDir, tmp_path: Path, family: type
) -> None:
    first, second = (imported(state_dir, tmp_path, family, seed) for seed in (1, 2))
    async with alone.started(engines, first, tmp_path / "log") as (_, http):
        await alone.healthy(http)
        for folder, version in ((first, "v1"), (second, "v2"), (first, "v1")):
            await alone.load(http, folder, version)
            for prompt in PROMPTS:
                assert models.nearly(await alone.logprobs(http, prompt), models.own_logprobs(folder, prompt))
    assert not models.nearly(models.own_logprobs(first, PROMPTS[0]), models.own_logprobs(second, PROMPTS[0]), 0.1)
