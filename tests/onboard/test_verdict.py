"""What `models check` says."""

from __future__ import annotations

import json
from pathlib import Path

import gguf as library
import pytest

from deploy.registry.manifest import Kind
from deploy.registry.store import Registry
from onboard.refusal import ModelRefused
from onboard.verdict import ModelVerdict, judge
from serving.engine.config import EnginesConfig
from serving.engine.sizes import MIB
from tests.onboard import ggufs
from tests.onboard.conftest import ENGINES
from tests.onboard.models import ROWS, change_settings, untaught
from understudy.cli import main
from understudy.state import StateDir


def said(state: StateDir, path: Path, engines: EnginesConfig = ENGINES, kind: Kind = "teacher") -> ModelVerdict:
    return judge(path, kind, Registry(state), engines, None, None)


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


@pytest.mark.parametrize(("why", "said_of_it", "swapped"), [
    ("tied", "takes the head of GemmaForCausalLM from its embeddings alone", False),
    ("renamed", "stores MixtralForCausalLM under other names than vLLM reads", True),
])  # fmt: skip
def test_a_kind_that_cannot_be_taught_is_a_good_teacher_and_a_bad_student(
    state_dir: StateDir, tmp_path: Path, why: str, said_of_it: str, swapped: bool
) -> None:
    folder = untaught(tmp_path / why, why)
    teacher, student = (said(state_dir, folder, kind=kind) for kind in ("teacher", "student"))
    for found in (teacher, student):
        assert found.obstacles["serve"] is None
        assert said_of_it in (found.obstacles["train"] or "")
        assert (found.obstacles["swap_in_place"] is None) is swapped
        assert f"train           no: {found.obstacles['train']}" in str(found)
    assert (teacher.ok, student.ok) == (True, False)
    assert student.as_json()["can"]["train"] == {"ok": False, "why": student.obstacles["train"]}
    state = ["--state", str(state_dir.root)]
    assert main(["models", "check", str(folder), "--as", "student", *state]) == 1
    assert main(["models", "check", str(folder), *state]) == 0


def test_a_gguf_tells_its_quantisation_and_the_same_sizes(state_dir: StateDir, made: Path, tmp_path: Path) -> None:
    file = ggufs.write(made, tmp_path / "m.gguf", library.GGMLQuantizationType.Q4_1)
    found = said(state_dir, file)
    assert found.facts["numbers"] == ("Q4_1", "dequantised from Q4_1")
    folder = said(state_dir, made)
    assert found.sizes == folder.sizes
    assert folder.facts["import takes"] == f"about {5 * 234_304 / MIB:,.0f} MiB of free memory"
    assert found.facts["import takes"] == f"about {8 * (234_304 - ROWS * 64) / MIB:,.0f} MiB of free memory"


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
