"""Versions of each family that may be a student, loaded in each other's place by a running engine."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest
from transformers import MistralForCausalLM, Phi3ForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM

from deploy.registry.store import Registry
from onboard.importing import ImportOptions, import_model
from serving.engine import compat
from serving.engine.config import EnginesConfig
from serving.engine.launch.fork_client import ForkLauncher, fork_socket
from serving.engine.launch.launcher import LaunchSpec
from tests.engines import Engines
from tests.onboard.models import tiny
from tests.onboard.stages import silent
from tests.serving.engine import models
from tests.serving.engine.inside.test_loader import healthy
from trials.system import free_ports
from understudy.process.scratch import Scratch
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
    (port,) = free_ports(1)
    config = EnginesConfig(ports={"teacher": 1, "student-a": 2, "student-b": port})
    launcher, scratch = ForkLauncher(fork_socket(engines.state)), Scratch(engines.state)
    env = compat.environment("student-b", "v1", "key", "control", ())
    env |= compat.folders(scratch.emptied("families"), tmp_path)
    spec = LaunchSpec("families", compat.argv("student-b", str(first), config), env, (), str(tmp_path / "log"))
    await launcher.start(spec)
    try:
        headers = {"authorization": "Bearer control"}
        async with httpx.AsyncClient(base_url=config.url("student-b"), headers=headers, timeout=60) as http:
            await healthy(http)
            for folder, version in ((first, "v1"), (second, "v2"), (first, "v1")):
                response = await http.post("/understudy/load", json={"path": str(folder), "version": version})
                assert response.status_code == 200, response.text
                for prompt in PROMPTS:
                    asked = {
                        "model": "student", "prompt": list(prompt), "max_tokens": 1, "temperature": 0,
                        "prompt_logprobs": 0,
                    }  # fmt: skip
                    answer = (await http.post("/v1/completions", json=asked)).json()
                    rows = answer["choices"][0]["prompt_logprobs"][1:]
                    found = [row[str(token)]["logprob"] for row, token in zip(rows, prompt[1:], strict=True)]
                    assert models.nearly(found, models.own_logprobs(folder, prompt))
    finally:
        await launcher.stop("families", 3.0)
        scratch.drop("families")
    assert not models.nearly(models.own_logprobs(first, PROMPTS[0]), models.own_logprobs(second, PROMPTS[0]), 0.1)
