"""What `models check` says."""

from __future__ import annotations

import json
from pathlib import Path

import gguf as library
import pytest

from deploy.registry.store import Registry
from onboard.refusal import ModelRefused
from onboard.verdict import ModelVerdict, judge
from serving.engine.config import EnginesConfig
from tests.onboard import ggufs
from tests.onboard.conftest import ENGINES
from tests.onboard.models import change_settings
from understudy.state import StateDir


def said(state: StateDir, path: Path, engines: EnginesConfig = ENGINES) -> ModelVerdict:
    return judge(path, "teacher", Registry(state), engines, None, None)


def test_a_whole_model_can_be_served_taught_and_swapped_with_figures_that_add_up(
    state_dir: StateDir, made: Path
) -> None:
    found = said(state_dir, made)
    assert found.ok
    value = json.loads(json.dumps(found.as_json()))
    assert value["can"] == {name: {"ok": True, "why": None} for name in ("serve", "train", "swap_in_place")}
    for size in value["sizes"].values():
        assert size["total"] == size["weights"] + size["loading"] + size["kv_cache"] + size["overhead"]
    assert value["weights"] == 234_304  # the head counted, as it will be served
    assert "untied" in value["head"]
    assert "three engines" in str(found)
    assert not list(state_dir.root.rglob("*.safetensors"))


def test_a_gguf_tells_its_quantisation_and_the_same_sizes(state_dir: StateDir, made: Path, tmp_path: Path) -> None:
    file = ggufs.write(made, tmp_path / "m.gguf", library.GGMLQuantizationType.Q4_1)
    found = said(state_dir, file)
    assert found.facts["numbers"] == ("Q4_1", "dequantised from Q4_1")
    assert found.sizes == said(state_dir, made).sizes


def test_what_cannot_be_imported_at_all_is_an_error_and_what_does_not_fit_a_finding(
    state_dir: StateDir, model: Path
) -> None:
    small = EnginesConfig(device="cpu", kv_cache_bytes=1 << 20, max_model_len=1 << 20)
    found = said(state_dir, model, small)
    assert not found.ok
    assert "engines.kv_cache_bytes" in (found.obstacles["serve"] or "")
    change_settings(model, architectures=["WonderForCausalLM"])
    with pytest.raises(ModelRefused, match="WonderForCausalLM"):
        said(state_dir, model)
