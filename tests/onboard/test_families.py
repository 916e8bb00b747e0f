"""Each family of models that the page names: imported, taught and cut as it says; by a GGUF where it says so, too."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGMLQuantizationType
from transformers import (
    AutoModelForCausalLM,
    LlamaForCausalLM,
    MistralForCausalLM,
    Phi3ForCausalLM,
    Qwen2ForCausalLM,
    Qwen3ForCausalLM,
)

from deploy.engines.fingerprint import difference, read_fingerprint
from deploy.registry.store import Registry
from onboard.checks.architecture import WELL_KNOWN
from onboard.convert.gguf import KNOWN
from onboard.cutting import cut
from onboard.importing import ImportOptions, import_model
from onboard.verdict import judge
from online_distill.evaluate.fingerprint import logprobs
from tests.onboard import ggufs
from tests.onboard.conftest import ENGINES
from tests.onboard.models import tiny
from tests.onboard.stages import silent
from understudy.state import StateDir

FAMILIES = {
    "Llama": LlamaForCausalLM, "Mistral": MistralForCausalLM, "Qwen2": Qwen2ForCausalLM, "Qwen3": Qwen3ForCausalLM,
    "Phi3": Phi3ForCausalLM,
}  # fmt: skip
OWN: dict[str, dict[str, Any]] = {"Qwen3": {"head_dim": 128}}
"""What transformers takes for a GGUF of Qwen3, whatever its metadata say."""
PHI3_ROWS = 32_064
"""So many rows has Phi3, of which transformers takes one for padding, whatever the metadata of a GGUF say."""
AT_FULL_COUNTS = pytest.mark.skipif(
    os.environ.get("UNDERSTUDY_FULL") != "1",
    reason="a tokenizer of 32,064 rows takes 20 seconds: with UNDERSTUDY_FULL=1",
)
TOKENS = torch.tensor([[5, 80, 200, 17, 300]])


def whole(folder: Path) -> Any:
    """Its model in float32."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def made(folder: Path, family: str, **more: Any) -> Path:
    """A tiny model of it."""
    return tiny(folder, layers=4, family=FAMILIES[family], **OWN.get(family, {}), **more)


def answers(model: Any) -> torch.Tensor:
    """Its logits."""
    with torch.no_grad():
        found: torch.Tensor = model(TOKENS, use_cache=False).logits
    return found


def test_these_are_the_families_that_are_named() -> None:
    assert ", ".join(FAMILIES) == WELL_KNOWN
    page = (Path(__file__).resolve().parents[2] / "docs" / "your-models.md").read_text("utf-8")
    assert f"a student of {' or '.join(WELL_KNOWN.rsplit(', ', 1))}, which" in page


@pytest.mark.parametrize("family", FAMILIES)
def test_a_student_of_each_family_is_imported_and_cut_and_its_fingerprint_computed(
    state_dir: StateDir, tmp_path: Path, family: str
) -> None:
    folder = made(tmp_path / family, family)
    registry = Registry(state_dir)
    verdict = judge(folder, "student", registry, ENGINES, None, None)
    assert (verdict.ok, set(verdict.obstacles.values())) == (True, {None})
    assert import_model(state_dir, folder, ImportOptions("student"), ENGINES, silent).manifest.version == "v1"
    assert import_model(state_dir, folder, ImportOptions("teacher"), ENGINES, silent).manifest.version == "t1"
    assert cut(state_dir, "t1", 2, None, silent).manifest.version == "v2"
    assert torch.allclose(answers(whole(folder)), answers(whole(registry.path("v1"))), atol=1e-5)
    teacher = whole(registry.path("t1"))
    teacher.model.layers = torch.nn.ModuleList([teacher.model.layers[i] for i in (0, 3)])
    teacher.config.num_hidden_layers = 2
    for number, layer in enumerate(teacher.model.layers):
        layer.self_attn.layer_idx = number
    assert torch.allclose(answers(teacher), answers(whole(registry.path("v2"))), atol=1e-5)
    for version in ("v1", "v2"):
        registry.verify(version)
        probes, model = read_fingerprint(registry.path(version)).probes, whole(registry.path(version))
        computed = logprobs(model, [list(probe.prompt) for probe in probes])
        assert max(difference(p.logprobs, row) for p, row in zip(probes, computed, strict=True)) < 1e-4


@pytest.mark.parametrize("family", ["Llama", "Qwen2", "Qwen3", pytest.param("Phi3", marks=AT_FULL_COUNTS)])
def test_a_gguf_of_each_family_that_is_named_answers_as_the_model_it_was_made_of(
    state_dir: StateDir, tmp_path: Path, family: str
) -> None:
    assert family.lower() in KNOWN
    folder = made(tmp_path / family, family, **({"vocab_size": PHI3_ROWS} if family == "Phi3" else {}))
    pre = "qwen2" if family.startswith("Qwen") else "gpt-2"
    file = ggufs.write(folder, tmp_path / "plain.gguf", GGMLQuantizationType.F32, pre)
    version = import_model(state_dir, file, ImportOptions("student"), ENGINES, silent).manifest.version
    assert torch.allclose(answers(whole(folder)), answers(whole(Registry(state_dir).path(version))), atol=1e-4)
