"""A folder becomes a version, whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from gguf import GGMLQuantizationType
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from deploy.engines.fingerprint import difference, read_fingerprint
from deploy.registry.manifest import Kind
from deploy.registry.store import Registry
from onboard import fitting, importing
from onboard.importing import ImportedVersion, ImportOptions, import_model
from onboard.refusal import ModelRefused
from onboard.write.draft import NoRoom
from online_distill.evaluate.fingerprint import logprobs
from tests.onboard import ggufs
from tests.onboard.conftest import ENGINES
from tests.onboard.models import CHATML, content, settings_of, tiny, untaught
from tests.onboard.stages import HEADER, Steps, dying_as_it_registers, in_child, killed_when, meddling, room_of, silent
from understudy.errors import Conflict
from understudy.process.lock import ProcessLock
from understudy.state import StateDir

TEACHER, STUDENT = ImportOptions("teacher"), ImportOptions("student")
PROMPTS = [[5, 80, 200, 17, 300, 2, 9], [100, 101, 102]]


def imported(state: StateDir, path: Path, options: ImportOptions = TEACHER, show: Callable = silent) -> ImportedVersion:
    return import_model(state, path, options, ENGINES, show)


def own(folder: Path) -> list[list[float]]:
    return logprobs(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval(), PROMPTS)


def same(one: Path, other: Path, tolerance: float = 1e-5) -> bool:
    return max(difference(a, b) for a, b in zip(own(one), own(other), strict=True)) < tolerance


def leftovers(state: StateDir) -> list[str]:
    return [p.name for p in (state.registry / "imports").iterdir() if p.suffix != ".lock"]


def test_a_version_answers_as_its_source_does_with_a_head_of_its_own(state_dir: StateDir, made: Path) -> None:
    before = content(made)
    found = imported(state_dir, made).manifest
    folder = Registry(state_dir).path("t1")
    assert Registry(state_dir).verify("t1") == found
    assert content(made) == before
    assert same(made, folder)
    assert settings_of(folder)["tie_word_embeddings"] is False
    tensors = load_file(folder / "model.safetensors")
    assert torch.equal(tensors["lm_head.weight"], tensors["model.embed_tokens.weight"])
    assert (folder / "chat_template.jinja").read_text() == CHATML
    assert content(folder)["generation_config.json"] == before["generation_config.json"]
    probes = read_fingerprint(folder).probes
    model = AutoModelForCausalLM.from_pretrained(made, dtype=torch.float32).eval()
    for probe, row in zip(probes, logprobs(model, [list(p.prompt) for p in probes]), strict=True):
        assert difference(probe.logprobs, row) < 1e-5
    lineage = found.lineage
    assert (lineage["origin"], lineage["source"]) == ("imported", str(made))
    assert lineage["files"]["model.safetensors"] == before["model.safetensors"]
    assert leftovers(state_dir) == []


def test_the_same_folder_is_the_same_version_and_other_options_are_another(
    state_dir: StateDir, made: Path, model: Path
) -> None:
    first = imported(state_dir, made)
    assert (first.manifest.version, first.known) == ("t1", False)
    for path in (made, model):
        again = imported(state_dir, path)
        assert (again.manifest.version, again.known) == ("t1", True)
    assert imported(state_dir, made, replace(TEACHER, dtype="float32")).manifest.version == "t2"
    assert imported(state_dir, made, STUDENT).manifest.version == "v1"


def test_a_template_of_ones_own_is_in_the_version_and_another_one_makes_another(
    state_dir: StateDir, made: Path, tmp_path: Path
) -> None:
    marked = CHATML.replace("assistant\n", "assistant\n\n")
    for name, text in (("one", CHATML), ("other", marked), ("same", marked)):
        (tmp_path / f"{name}.jinja").write_text(text)
    found = {name: imported(state_dir, made, replace(TEACHER, template=tmp_path / f"{name}.jinja"))
             for name in ("one", "other", "same")}  # fmt: skip
    assert {name: (one.manifest.version, one.known) for name, one in found.items()} == {
        "one": ("t1", False), "other": ("t2", False), "same": ("t2", True)
    }  # fmt: skip
    assert imported(state_dir, made).manifest.version == "t3"  # its own, as it is, is another choice again
    for version, text in (("t1", CHATML), ("t2", marked), ("t3", CHATML)):
        folder = Registry(state_dir).path(version)
        assert (folder / "chat_template.jinja").read_text() == text
        assert "chat_template" not in json.loads((folder / "tokenizer_config.json").read_text())
        assert AutoTokenizer.from_pretrained(folder).chat_template == text
    before = content(made)
    with pytest.raises(ModelRefused, match=r"none\.jinja cannot be read"):
        imported(state_dir, made, replace(TEACHER, template=tmp_path / "none.jinja"))
    assert content(made) == before


def test_shards_and_a_chosen_type_change_nothing_that_is_computed(state_dir: StateDir, tmp_path: Path) -> None:
    folder = tiny(tmp_path / "sharded", shard="100KB", dtype=torch.float32)
    imported(state_dir, folder)
    imported(state_dir, folder, replace(TEACHER, dtype="bfloat16"))
    registry = Registry(state_dir)
    assert len(list(registry.path("t1").glob("*.safetensors"))) == len(list(folder.glob("*.safetensors"))) > 2
    assert same(folder, registry.path("t1"))
    narrow = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).state_dict()
    wide = AutoModelForCausalLM.from_pretrained(registry.path("t2"), dtype="auto").state_dict()
    assert settings_of(registry.path("t2"))["dtype"] == "bfloat16"
    assert all(torch.equal(narrow[name], wide[name]) for name in narrow)


@pytest.mark.parametrize("why", ["tied", "renamed"])
def test_a_kind_that_cannot_be_taught_is_a_teacher_and_no_student(
    state_dir: StateDir, tmp_path: Path, why: str
) -> None:
    folder = untaught(tmp_path / why, why)
    with pytest.raises(ModelRefused, match=r"cannot be a student: .* serves as a teacher.*Llama.*--as student"):
        imported(state_dir, folder, STUDENT)
    assert leftovers(state_dir) == []
    assert imported(state_dir, folder).manifest.version == "t1"


@pytest.mark.parametrize("form", ["folder", "gguf"])
def test_too_little_memory_for_the_fingerprint_is_said_before_anything_is_written(
    state_dir: StateDir, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """The head of its own is counted, and another machine's memory is no help, since it is computed here."""
    path = made if form == "folder" else ggufs.write(made, tmp_path / "m.gguf", GGMLQuantizationType.F32)
    weights, steps = 234_304, Steps()
    monkeypatch.setattr(importing, "free_bytes", lambda: 5 * weights - 1)
    for options in (TEACHER, replace(TEACHER, elsewhere=True)):
        with pytest.raises(ModelRefused, match=r"the fingerprint of .* in about 1 MiB of memory.*where there is more"):
            imported(state_dir, path, options, steps)
    assert set(steps.told) <= {"reading"}
    assert leftovers(state_dir) == []
    monkeypatch.setattr(importing, "free_bytes", lambda: 5 * weights)
    assert imported(state_dir, path, show=steps).manifest.version == "t1"
    monkeypatch.setattr(importing, "free_bytes", lambda: 0)
    assert form == "gguf" or imported(state_dir, path).known  # what is there needs none


@pytest.mark.parametrize("kind", ["teacher", "student"])
def test_too_little_memory_for_three_engines_is_refused_unless_they_run_elsewhere(
    state_dir: StateDir, made: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    monkeypatch.setattr(fitting, "total_bytes", lambda: 1 << 30)
    steps = Steps()
    with pytest.raises(ModelRefused, match=rf"need about \d+ MiB.* has 1024 MiB: a {kind} of \d+ million.*--elsewhere"):
        imported(state_dir, made, ImportOptions(kind), steps)
    assert steps.told == []
    assert leftovers(state_dir) == []
    assert Registry(state_dir).versions() == []
    found = imported(state_dir, made, ImportOptions(kind, elsewhere=True))
    assert (found.manifest.kind, found.known) == (kind, False)


def test_weights_that_are_no_numbers_leave_nothing(state_dir: StateDir, model: Path) -> None:
    tensors = load_file(model / "model.safetensors")
    tensors["model.norm.weight"][3] = float("nan")
    save_file(tensors, model / "model.safetensors")
    with pytest.raises(ModelRefused, match=r"model\.norm\.weight holds values"):
        imported(state_dir, model)
    assert Registry(state_dir).versions() == []
    assert leftovers(state_dir) == []


@pytest.mark.parametrize("step", ["reading", "copying", "fingerprint"])
def test_a_folder_that_changes_meanwhile_is_refused(state_dir: StateDir, model: Path, step: str) -> None:
    with pytest.raises(ModelRefused, match="changed while it was read"):
        imported(state_dir, model, show=meddling(model / "model.safetensors", step))
    assert Registry(state_dir).versions() == []
    assert imported(state_dir, model).manifest.version == "t1"


@pytest.mark.parametrize(("stage", "at"), [("reading", 0.5), ("copying", 0), ("copying", 0.6), ("fingerprint", 0),
                                           ("fingerprint", 1)])  # fmt: skip
def test_an_import_that_is_killed_goes_on_and_is_whole(
    state_dir: StateDir, tmp_path: Path, stage: str, at: float
) -> None:
    folder = tiny(tmp_path / "sharded", shard="100KB")
    assert in_child(lambda: imported(state_dir, folder, show=killed_when(stage, at))) == -signal.SIGKILL
    assert Registry(state_dir).versions() == []
    kept = {path: path.stat().st_mtime_ns for path in state_dir.registry.glob("imports/*/files/*.safetensors")}
    assert bool(kept) is ((stage, at) in {("copying", 0.6), ("fingerprint", 0), ("fingerprint", 1)})
    found = imported(state_dir, folder).manifest
    assert Registry(state_dir).verify(found.version) == found
    written = {p.stat().st_mtime_ns for p in Registry(state_dir).path("t1").glob("*.safetensors")}
    assert set(kept.values()) <= written  # what was whole was not written again
    assert same(folder, Registry(state_dir).path("t1"))
    assert leftovers(state_dir) == []


@pytest.mark.parametrize("call", ["mark_ready", "sync_folder"])
def test_a_kill_while_it_is_registered_leaves_no_half_version(state_dir: StateDir, made: Path, call: str) -> None:
    work = dying_as_it_registers(call, lambda: imported(state_dir, made))
    assert in_child(work) == -signal.SIGKILL
    assert Registry(state_dir).versions() == []
    assert imported(state_dir, made).manifest.version == "t1"
    Registry(state_dir).verify("t1")
    assert sorted(path.name for path in state_dir.versions.iterdir()) == [".lock", "t1"]


def test_a_disk_that_is_full_is_named_and_the_same_command_goes_on(state_dir: StateDir, tmp_path: Path) -> None:
    folder = tiny(tmp_path / "sharded", shard="100KB")
    largest = max(path.stat().st_size for path in folder.glob("*.safetensors"))

    def work() -> None:
        with pytest.raises(NoRoom, match="goes on where it stopped"):
            imported(state_dir, folder)

    assert in_child(work, largest - 1000) == 0
    assert Registry(state_dir).versions() == []
    assert imported(state_dir, folder).manifest.version == "t1"


def test_no_room_is_said_before_anything_is_copied(
    state_dir: StateDir, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, needed = Steps(), 2 * 234_304
    room_of(monkeypatch, needed - 1)
    with pytest.raises(NoRoom, match=r"64 MiB are needed in .*imports, 64 MiB are free: .*--state"):
        imported(state_dir, made, show=steps)
    assert set(steps.told) == {"reading"}
    assert list(state_dir.registry.glob("imports/*/files/*")) == []
    assert Registry(state_dir).versions() == []
    room_of(monkeypatch, needed + HEADER)
    assert imported(state_dir, made).manifest.version == "t1"


def test_two_imports_of_the_same_folder_do_not_meet(state_dir: StateDir, made: Path) -> None:
    imported(state_dir, made)
    (lock,) = (state_dir.registry / "imports").glob("*.lock")
    with ProcessLock(lock, "held"), pytest.raises(Conflict, match="is being imported by process"):
        imported(state_dir, made)
