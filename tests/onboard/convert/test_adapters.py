"""LoRA adapters merged into their base."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from deploy.registry.store import Registry
from onboard.importing import ImportOptions, import_model
from onboard.refusal import ModelRefused
from onboard.verdict import judge
from onboard.write.draft import NoRoom
from tests.onboard.conftest import ENGINES
from tests.onboard.models import change_settings, content, tiny, tokenizer_files, untaught
from tests.onboard.stages import Steps, in_child, killed_when, meddling, room_of, silent
from understudy.state import StateDir


@pytest.fixture
def adapter(made: Path, tmp_path: Path) -> Path:
    """An adapter of `made` that changes what it says."""
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(made, dtype=torch.float32)
    tuned = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
    with torch.no_grad():
        for name, value in tuned.named_parameters():
            if "lora_B" in name:
                value.normal_()
    tuned.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def left_of_imports(state: StateDir) -> list[str]:
    return [p.name for p in (state.registry / "imports").iterdir() if p.suffix != ".lock"]


def test_a_merged_version_answers_as_base_and_adapter_do(state_dir: StateDir, made: Path, adapter: Path) -> None:
    from peft import PeftModel

    assert json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == str(made)
    before = content(adapter), content(made)
    manifest = import_model(state_dir, adapter, ImportOptions("student"), ENGINES, silent).manifest
    assert (content(adapter), content(made)) == before, "the originals are only read"
    merged = AutoModelForCausalLM.from_pretrained(Registry(state_dir).path("v1"), dtype=torch.float32).eval()
    base = AutoModelForCausalLM.from_pretrained(made, dtype=torch.float32).eval()
    tokens = torch.tensor([[5, 80, 200, 17, 300]])
    with torch.no_grad():
        plain = base(tokens).logits
        tuned = PeftModel.from_pretrained(base, adapter)(tokens).logits
        found = merged(tokens).logits
    assert torch.nn.functional.cosine_similarity(tuned, found, dim=-1).min() > 0.999  # merged weights are bfloat16
    assert torch.nn.functional.cosine_similarity(plain, found, dim=-1).min() < 0.99
    assert (manifest.lineage["format"], manifest.lineage["base"]) == ("adapter", str(made))
    assert import_model(state_dir, adapter, ImportOptions("student"), ENGINES, silent).known


def test_a_base_that_is_not_here_or_another_one_is_refused(state_dir: StateDir, adapter: Path, tmp_path: Path) -> None:
    other = tiny(tmp_path / "other", hidden_size=32)
    with pytest.raises(ModelRefused, match="does not fit"):
        import_model(state_dir, adapter, ImportOptions("student", base=other), ENGINES, silent)
    shallow = tiny(tmp_path / "shallow", layers=2)
    with pytest.raises(ModelRefused, match="no place for"):
        import_model(state_dir, adapter, ImportOptions("student", base=shallow), ENGINES, silent)
    assert left_of_imports(state_dir) == []
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": "org/model"}))
    with pytest.raises(ModelRefused, match="nothing is downloaded"):
        import_model(state_dir, adapter, ImportOptions("student"), ENGINES, silent)


def test_a_base_of_no_use_is_refused_before_anything_is_merged(
    state_dir: StateDir, adapter: Path, model: Path, tmp_path: Path
) -> None:
    steps = Steps()

    tokenizer_files(model, template=None)
    strange = Path(shutil.copytree(model, tmp_path / "strange"))
    change_settings(strange, architectures=["WonderForCausalLM"])
    refused = {model: "no chat template", strange: "WonderForCausalLM is unknown to the installed"}
    refused[untaught(tmp_path / "tied", "tied")] = "cannot be a student"
    for base, said in refused.items():
        with pytest.raises(ModelRefused, match=said):
            import_model(state_dir, adapter, ImportOptions("student", base=base), ENGINES, steps)
    assert steps.told == []
    assert left_of_imports(state_dir) == []


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_file_that_is_a_link_out_of_its_folder_is_refused(
    state_dir: StateDir, adapter: Path, tmp_path: Path, name: str
) -> None:
    """Before the base is looked for, which a file of somebody else's would name."""
    (adapter / name).rename(tmp_path / "elsewhere")
    (adapter / name).symlink_to(tmp_path / "elsewhere")
    if name == "adapter_config.json":
        config = json.loads((tmp_path / "elsewhere").read_text())
        (tmp_path / "elsewhere").write_text(json.dumps({**config, "base_model_name_or_path": "org/model"}))
    said = rf"{name} is a link out of its folder, to .*elsewhere.*cp -rL"
    with pytest.raises(ModelRefused, match=said):
        judge(adapter, "student", Registry(state_dir), ENGINES, None, None)
    with pytest.raises(ModelRefused, match=said):
        import_model(state_dir, adapter, ImportOptions("student"), ENGINES, silent)


def test_a_pickle_and_another_kind_of_adapter_are_refused(state_dir: StateDir, adapter: Path, made: Path) -> None:
    aside = shutil.copytree(adapter, adapter.with_name("aside"))
    (aside / "adapter_model.safetensors").rename(aside / "adapter_model.bin")
    with pytest.raises(ModelRefused, match="pickle is never loaded"):
        import_model(state_dir, aside, ImportOptions("student"), ENGINES, silent)
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "peft_type": "PREFIX_TUNING"}))
    with pytest.raises(ModelRefused, match="only LoRA"):
        import_model(state_dir, adapter, ImportOptions("student"), ENGINES, silent)


@pytest.mark.parametrize("step", ["reading", "merging"])
@pytest.mark.parametrize("part", ["adapter", "base"])
def test_a_folder_that_changes_meanwhile_is_refused(
    state_dir: StateDir, adapter: Path, model: Path, part: str, step: str
) -> None:
    file = adapter / "adapter_model.safetensors" if part == "adapter" else model / "model.safetensors"

    options = ImportOptions("student", base=model)
    with pytest.raises(ModelRefused, match=rf"{file.name} was changed while it was read"):
        import_model(state_dir, adapter, options, ENGINES, meddling(file, step))
    assert Registry(state_dir).versions() == []
    assert left_of_imports(state_dir) == []
    assert import_model(state_dir, adapter, options, ENGINES, silent).manifest.version == "v1"


def test_no_room_for_what_is_merged_and_its_copy_is_said_before_anything_is_read(
    state_dir: StateDir, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, both = Steps(), 2 * 2 * 234_304
    room_of(monkeypatch, both - 1)
    with pytest.raises(NoRoom, match=r"MiB are needed in .*imports, \d+ MiB are free: .*--state"):
        import_model(state_dir, adapter, ImportOptions("student"), ENGINES, steps)
    assert steps.told == []
    assert left_of_imports(state_dir) == []
    room_of(monkeypatch, both)
    assert import_model(state_dir, adapter, ImportOptions("student"), ENGINES, silent).manifest.version == "v1"


@pytest.mark.parametrize("at", [0, 1])
def test_a_merge_that_is_killed_goes_on_and_is_whole(state_dir: StateDir, adapter: Path, at: float) -> None:
    def work() -> None:
        import_model(state_dir, adapter, ImportOptions("student"), ENGINES, killed_when("merging", at))

    assert in_child(work) == -signal.SIGKILL
    assert Registry(state_dir).versions() == []
    found = import_model(state_dir, adapter, ImportOptions("student"), ENGINES, silent).manifest
    assert Registry(state_dir).verify(found.version) == found
    assert left_of_imports(state_dir) == []
