"""A first student of some of a teacher's layers."""

from __future__ import annotations

import signal
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from deploy.life.kept.store import RolloutFiles
from deploy.life.state import ControlState
from deploy.registry.store import Registry
from deploy.routing.document import EXTERNAL
from onboard import cutting
from onboard.cutting import cut, live_student, named, others_unfit, shortened, spread
from onboard.importing import ImportOptions, import_model
from onboard.refusal import ModelRefused
from onboard.write.draft import NoRoom
from tests.onboard.conftest import ENGINES
from tests.onboard.models import settings_of, untaught
from tests.onboard.stages import Steps, dying_as_it_registers, in_child, killed_when, room_of, silent
from understudy.state import StateDir


@pytest.fixture
def taught(state_dir: StateDir, made: Path) -> StateDir:
    """A state with the teacher t1 of six layers."""
    import_model(state_dir, made, ImportOptions("teacher"), ENGINES, silent)
    return state_dir


@given(st.integers(3, 200), st.data())
def test_layers_are_spread_evenly_with_the_first_and_the_last(total: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(2, total - 1))
    kept = spread(total, count)
    gaps = [b - a for a, b in pairwise(kept)]
    assert len(set(kept)) == count
    assert (kept[0], kept[-1]) == (0, total - 1)
    assert max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize("count", [-1, 0, 1, 6, 7])
def test_a_number_of_layers_that_is_no_cut_is_refused(count: int) -> None:
    with pytest.raises(ModelRefused, match="give 2 to 5"):
        spread(6, count)


@pytest.mark.parametrize("keep", [(), (0, 0), (6,), (-1, 2), (0, 1, 2, 3, 4, 5)])
def test_layers_that_cannot_be_named_so_are_refused(keep: tuple[int, ...]) -> None:
    with pytest.raises(ModelRefused, match="layers 0 to 5"):
        named(6, keep)


def test_a_cut_computes_what_transformers_does_with_those_layers(taught: StateDir) -> None:
    manifest = cut(taught, "t1", 3, None, silent).manifest
    registry = Registry(taught)
    registry.verify("v1")
    whole = AutoModelForCausalLM.from_pretrained(registry.path("t1"), dtype=torch.float32).eval()
    whole.model.layers = torch.nn.ModuleList([whole.model.layers[i] for i in (0, 2, 5)])
    for number, layer in enumerate(whole.model.layers):
        layer.self_attn.layer_idx = number
    part = AutoModelForCausalLM.from_pretrained(registry.path("v1"), dtype=torch.float32).eval()
    tokens = torch.tensor([[5, 80, 200, 17, 300]])
    with torch.no_grad():
        assert torch.allclose(whole(tokens, use_cache=False).logits, part(tokens, use_cache=False).logits, atol=1e-5)
    assert settings_of(registry.path("v1"))["num_hidden_layers"] == 3
    assert (registry.path("t1") / "tokenizer.json").read_bytes() == (
        registry.path("v1") / "tokenizer.json"
    ).read_bytes()
    assert manifest.unfit
    assert (manifest.parent, manifest.teacher, manifest.note) == ("t1", "t1", "unfit: 3 of 6 layers of t1")
    assert (manifest.lineage["origin"], manifest.lineage["layers"]) == ("cut", [0, 2, 5])


def test_the_same_cut_is_the_same_version_and_another_one_stands_beside_it(taught: StateDir) -> None:
    assert cut(taught, "t1", 3, None, silent).manifest.version == "v1"
    again = cut(taught, "t1", None, (5, 0, 2), silent)
    assert (again.manifest.version, again.known) == ("v1", True)
    assert cut(taught, "t1", None, (0, 1), silent).manifest.version == "v2"
    assert others_unfit(taught, "v2") == ["v1"]


def test_a_student_is_not_cut(taught: StateDir) -> None:
    cut(taught, "t1", 3, None, silent)
    with pytest.raises(ModelRefused, match="v1 is a student"):
        cut(taught, "v1", 2, None, silent)


def test_too_little_memory_for_the_fingerprint_is_said_before_anything_is_copied(
    taught: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "free_bytes", lambda: 1000)
    steps = Steps()
    with pytest.raises(ModelRefused, match="the fingerprint of t1 is computed in float32"):
        cut(taught, "t1", 3, None, steps)
    assert steps.told == []
    assert not list((taught.registry / "imports").glob("cut-*/files"))


def test_no_room_is_said_before_anything_is_copied(taught: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    size = sum(path.stat().st_size for path in Registry(taught).path("t1").glob("*.safetensors"))
    steps = Steps()
    room_of(monkeypatch, size // 4)
    with pytest.raises(NoRoom, match=r"MiB are needed in .*imports, 64 MiB are free: .*--state"):
        cut(taught, "t1", 3, None, steps)
    assert steps.told == []
    assert not list((taught.registry / "imports").glob("cut-*/files/*"))
    assert [m.version for m in Registry(taught).versions()] == ["t1"]
    room_of(monkeypatch, size)
    assert cut(taught, "t1", 3, None, silent).manifest.version == "v1"


@pytest.mark.parametrize("why", ["tied", "renamed"])
def test_a_teacher_whose_kind_cannot_be_taught_is_not_cut(state_dir: StateDir, tmp_path: Path, why: str) -> None:
    import_model(state_dir, untaught(tmp_path / why, why), ImportOptions("teacher"), ENGINES, silent)
    with pytest.raises(ModelRefused, match=r"no student can be cut from t1: .*Llama.*--as student"):
        cut(state_dir, "t1", 2, None, silent)
    assert [m.version for m in Registry(state_dir).versions()] == ["t1"]
    assert not list((state_dir.registry / "imports").glob("cut-*"))


@pytest.mark.parametrize("stage", ["copying", "fingerprint"])
def test_a_cut_that_is_killed_leaves_no_half_version(taught: StateDir, stage: str) -> None:
    assert in_child(lambda: cut(taught, "t1", 3, None, killed_when(stage, 0))) == -signal.SIGKILL
    assert [m.version for m in Registry(taught).versions()] == ["t1"]
    assert cut(taught, "t1", 3, None, silent).manifest.version == "v1"
    Registry(taught).verify("v1")


@pytest.mark.parametrize("call", ["mark_ready", "sync_folder"])
def test_a_cut_that_is_killed_while_it_is_registered_leaves_no_half_version(taught: StateDir, call: str) -> None:
    work = dying_as_it_registers(call, lambda: cut(taught, "t1", 3, None, silent))
    assert in_child(work) == -signal.SIGKILL
    assert [m.version for m in Registry(taught).versions()] == ["t1"]
    assert cut(taught, "t1", 3, None, silent).manifest.version == "v1"
    Registry(taught).verify("v1")
    assert sorted(path.name for path in taught.versions.iterdir()) == [".lock", "t1", "v1"]


def test_a_disk_that_is_full_while_it_is_cut_is_named_and_the_same_cut_goes_on(taught: StateDir) -> None:
    def work() -> None:
        with pytest.raises(NoRoom, match="goes on where it stopped"):
            cut(taught, "t1", 3, None, silent)

    assert in_child(work, 20_000) == 0
    assert [m.version for m in Registry(taught).versions()] == ["t1"]
    assert cut(taught, "t1", 3, None, silent).manifest.version == "v1"


def test_lists_with_an_entry_a_layer_are_cut_with_them() -> None:
    given_ = {
        "num_hidden_layers": 4,
        "layer_types": ["a", "b", "a", "c"],
        "max_window_layers": 4,
        "eos_token_id": [1, 2],
    }
    found = shortened(given_, (0, 3), 4)
    assert found == {"num_hidden_layers": 2, "layer_types": ["a", "c"], "max_window_layers": 2, "eos_token_id": [1, 2]}
    assert shortened({"text_config": given_, "x": 1}, (0, 3), 4) == {"text_config": found, "x": 1}


def test_a_cut_hears_of_a_student_that_is_live_and_of_one_that_somebody_else_runs_not(taught: StateDir) -> None:
    assert live_student(taught) is None
    files = RolloutFiles(taught.registry)
    for stable, told in ((None, None), ("v4", "v4"), (EXTERNAL, None)):
        files.save(ControlState(stable=stable))
        assert live_student(taught) == told
    (taught.registry / "rollout.json").write_text("{")
    assert live_student(taught) is None
