"""GGUF files dequantised, and those that are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf as library
import pytest
import torch
from transformers import AutoModelForCausalLM

from deploy.registry.manifest import Kind
from deploy.registry.store import Registry
from onboard.convert import gguf
from onboard.convert.gguf import GgufModel, read, require_memory
from onboard.importing import ImportOptions, import_model
from onboard.refusal import ModelRefused
from onboard.source.files import Stamp
from onboard.verdict import judge
from tests.onboard import ggufs
from tests.onboard.conftest import ENGINES
from tests.onboard.models import CHATML, content
from tests.onboard.stages import Steps, silent
from understudy.state import StateDir

Packed = library.GGMLQuantizationType


def test_a_file_of_plain_numbers_answers_as_the_model_it_was_made_of(
    state_dir: StateDir, made: Path, tmp_path: Path
) -> None:
    file = ggufs.write(made, tmp_path / "plain.gguf", Packed.F32)
    manifest = import_model(state_dir, file, ImportOptions("teacher"), ENGINES, silent).manifest
    folder = Registry(state_dir).path(manifest.version)
    tokens = torch.tensor([[5, 80, 200, 17, 300]])
    one, other = (AutoModelForCausalLM.from_pretrained(p, dtype=torch.float32).eval() for p in (made, folder))
    with torch.no_grad():
        assert torch.allclose(one(tokens).logits, other(tokens).logits, atol=1e-4)
    assert manifest.note == ""


def test_a_packed_file_says_so_beside_its_figures(state_dir: StateDir, made: Path, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    file = ggufs.write(made, tmp_path / "own" / "packed.gguf", Packed.Q4_1)
    before = content(file.parent)
    first = import_model(state_dir, file, ImportOptions("teacher"), ENGINES, silent)
    assert first.manifest.note == "dequantised from Q4_1"
    assert first.manifest.lineage["source"] == str(file)
    assert set(first.manifest.lineage["files"]) == {"packed.gguf"}
    again = import_model(state_dir, file, ImportOptions("teacher"), ENGINES, silent)
    assert (again.manifest.version, again.known) == ("t1", True)
    assert content(file.parent) == before, "the original is only read"
    assert [p.name for p in (state_dir.registry / "imports").iterdir() if p.suffix != ".lock"] == []


def test_a_file_cut_short_an_unknown_architecture_and_no_gguf_are_refused(made: Path, tmp_path: Path) -> None:
    file = ggufs.write(made, tmp_path / "whole.gguf", Packed.Q8_0)
    assert read(file).quantisation == "Q8_0"
    (tmp_path / "short.gguf").write_bytes(file.read_bytes()[:-3000])
    with pytest.raises(ModelRefused, match="cut short"):
        read(tmp_path / "short.gguf")
    (tmp_path / "none.gguf").write_bytes(b"GGUX" + bytes(100))
    with pytest.raises(ModelRefused, match="cannot be read as GGUF"):
        read(tmp_path / "none.gguf")
    strange = ggufs.write(made, tmp_path / "strange.gguf", Packed.F32, architecture="wonder")
    with pytest.raises(ModelRefused, match=r"architecture wonder.*safetensors"):
        read(strange)


@pytest.mark.parametrize(("changes", "kind", "said"), [
    ({"architecture": "t5"}, "teacher", r"architecture t5, which writes no text by itself: take a GGUF of llama"),
    ({"architecture": "starcoder2"}, "teacher", r"Starcoder2ForCausalLM is unknown to the installed vLLM; nearest"),
    ({"architecture": "bloom"}, "student", r"the head of BloomForCausalLM.* serves as a teacher"),
    ({"template": None}, "teacher", r"m\.gguf has no chat template.*--template FILE"),
    ({"template": "{% for m in messages %}"}, "teacher", r"does not compile.*--template FILE"),
])  # fmt: skip
def test_what_is_of_no_use_is_refused_before_anything_is_dequantised(
    state_dir: StateDir, made: Path, tmp_path: Path, changes: dict[str, Any], kind: Kind, said: str
) -> None:
    file = ggufs.write(made, tmp_path / "m.gguf", Packed.Q8_0, **changes)
    steps = Steps()

    with pytest.raises(ModelRefused, match=said):
        import_model(state_dir, file, ImportOptions(kind), ENGINES, steps)
    assert steps.told == []
    assert [p.name for p in (state_dir.registry / "imports").iterdir() if p.suffix != ".lock"] == []
    if kind == "teacher":
        with pytest.raises(ModelRefused, match=said):
            judge(file, kind, Registry(state_dir), ENGINES, None, None)
    else:
        found = judge(file, kind, Registry(state_dir), ENGINES, None, None)
        assert not found.ok
        assert "BloomForCausalLM" in (found.obstacles["train"] or "")


@pytest.mark.parametrize(("changes", "said"), [
    ({"without": "blk.1.ffn_up.weight"}, r"m\.gguf is not whole: .*layers\.1\.mlp\.up_proj\.weight is missing: fetch"),
    ({"without": "token_embd.weight"}, r"(embed_tokens|lm_head)\.weight.* missing.*the model's safetensors"),
    ({"width": 128}, r"proj\.weight has shape \[.*96.*\] in .*m\.gguf, its metadata mean \[.*128.*safetensors"),
])  # fmt: skip
@pytest.mark.parametrize("kind", [Packed.F32, Packed.Q8_0])
def test_a_tensor_that_is_missing_or_of_another_shape_is_named_and_never_made_up(
    state_dir: StateDir,
    made: Path,
    tmp_path: Path,
    kind: library.GGMLQuantizationType,
    changes: dict[str, Any],
    said: str,
) -> None:
    file = ggufs.write(made, tmp_path / "m.gguf", kind, **changes)
    for _ in range(2):  # as one that is resumed
        with pytest.raises(ModelRefused, match=said):
            import_model(state_dir, file, ImportOptions("teacher"), ENGINES, silent)
        assert Registry(state_dir).versions() == []
        assert [p.name for p in (state_dir.registry / "imports").iterdir() if p.suffix != ".lock"] == []


def test_weights_that_nothing_reads_are_refused_and_what_says_the_rotation_again_is_not(
    state_dir: StateDir, made: Path, tmp_path: Path
) -> None:
    biased = ggufs.write(made, tmp_path / "b.gguf", Packed.Q8_0, more={"blk.0.attn_q.bias": 64})
    with pytest.raises(
        ModelRefused, match=r"transformers reads [\d,]+ of the [\d,]+ weights in .*b\.gguf.*safetensors"
    ):
        import_model(state_dir, biased, ImportOptions("teacher"), ENGINES, silent)
    assert Registry(state_dir).versions() == []
    turned = ggufs.write(made, tmp_path / "r.gguf", Packed.Q8_0, more={"rope_freqs.weight": 8})
    assert import_model(state_dir, turned, ImportOptions("teacher"), ENGINES, silent)
    assert read(turned).weights == read(biased).weights - 64


def test_a_part_of_a_model_is_refused_before_anything_is_dequantised(
    state_dir: StateDir, made: Path, tmp_path: Path
) -> None:
    said = r"one of 2 parts.*llama-gguf-split --merge.*safetensors"
    file = ggufs.write(made, tmp_path / "m-00001-of-00002.gguf", Packed.Q8_0, parts=2)
    steps = Steps()
    with pytest.raises(ModelRefused, match=said):
        import_model(state_dir, file, ImportOptions("teacher"), ENGINES, steps)
    with pytest.raises(ModelRefused, match=said):
        judge(file, "teacher", Registry(state_dir), ENGINES, None, None)
    assert steps.told == []
    assert [p.name for p in (state_dir.registry / "imports").iterdir() if p.suffix != ".lock"] == []
    assert read(ggufs.write(made, tmp_path / "whole.gguf", Packed.Q8_0, parts=1)).quantisation == "Q8_0"


def test_what_lies_beside_a_file_is_neither_read_nor_run(state_dir: StateDir, made: Path, tmp_path: Path) -> None:
    file = ggufs.write(made, tmp_path / "m.gguf", Packed.Q8_0)
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Own: pass\n")
    own = {"auto_map": {"AutoTokenizer": ["own.Own", "own.Own"]}, "chat_template": "of another"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(own))
    (tmp_path / "config.json").write_text(json.dumps({"auto_map": {"AutoConfig": "own.Own"}, "model_type": "own"}))
    import_model(state_dir, file, ImportOptions("teacher"), ENGINES, silent)
    assert (Registry(state_dir).path("t1") / "chat_template.jinja").read_text() == CHATML
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("given", ["file", "folder"])
def test_a_file_that_is_a_link_out_of_its_folder_is_refused(
    state_dir: StateDir, made: Path, tmp_path: Path, given: str
) -> None:
    (tmp_path / "linked").mkdir()
    file = ggufs.write(made, tmp_path / "real.gguf", Packed.Q8_0)
    (tmp_path / "linked" / "m.gguf").symlink_to(file)
    path = tmp_path / "linked" / ("m.gguf" if given == "file" else "")
    steps = Steps()
    with pytest.raises(ModelRefused, match=r"m\.gguf is a link out of its folder, to .*real\.gguf.*cp -rL"):
        import_model(state_dir, path, ImportOptions("teacher"), ENGINES, steps)
    with pytest.raises(ModelRefused, match=r"m\.gguf is a link out of its folder"):
        judge(path, "teacher", Registry(state_dir), ENGINES, None, None)
    assert steps.told == []
    blobs, snapshot = tmp_path / "models--a--b" / "blobs", tmp_path / "models--a--b" / "snapshots" / "1"
    for folder in (blobs, snapshot):
        folder.mkdir(parents=True)
    file.rename(blobs / "0")
    (snapshot / "m.gguf").symlink_to("../../blobs/0")
    assert judge(snapshot, "teacher", Registry(state_dir), ENGINES, None, None).ok


def test_a_file_without_a_template_takes_one_that_is_given(state_dir: StateDir, made: Path, tmp_path: Path) -> None:
    file = ggufs.write(made, tmp_path / "m.gguf", Packed.Q8_0, template=None)
    (tmp_path / "own.jinja").write_text(CHATML + "\n")
    options = ImportOptions("teacher", template=tmp_path / "own.jinja")
    import_model(state_dir, file, options, ENGINES, silent)
    assert (Registry(state_dir).path("t1") / "chat_template.jinja").read_text() == CHATML + "\n"


def test_an_unknown_quantisation_is_refused_with_those_that_work(made: Path, tmp_path: Path) -> None:
    file = ggufs.write(made, tmp_path / "whole.gguf", Packed.Q8_0)
    data = file.read_bytes()
    name = b"blk.0.attn_q.weight"
    at = data.index(name) + len(name) + 4 + 2 * 8  # number of dimensions, two dimensions, then the type
    assert data[at] == Packed.Q8_0
    for kind in (251, Packed.I32):
        file.write_bytes(data[:at] + bytes([kind]) + data[at + 1 :])
        with pytest.raises(ModelRefused, match="Q8_0, Q4_K, Q4_1 or F16"):
            read(file)


def test_too_little_memory_to_dequantise_is_refused_with_the_figure_before_it_begins(
    state_dir: StateDir, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, steps = ggufs.write(made, tmp_path / "m.gguf", Packed.Q8_0), Steps()
    needed = 8 * read(file).weights
    monkeypatch.setattr(gguf, "free_bytes", lambda: needed - 1)
    with pytest.raises(ModelRefused, match=rf"m\.gguf takes about {needed >> 20} MiB of memory.*streamed"):
        import_model(state_dir, file, ImportOptions("teacher"), ENGINES, steps)
    assert set(steps.told) == {"reading"}
    assert Registry(state_dir).versions() == []
    assert [p.name for p in (state_dir.registry / "imports").iterdir() if p.suffix != ".lock"] == []
    monkeypatch.setattr(gguf, "free_bytes", lambda: needed)
    assert import_model(state_dir, file, ImportOptions("teacher"), ENGINES, silent).manifest.version == "t1"


def test_what_does_not_fit_into_memory_is_refused_with_the_figure(tmp_path: Path) -> None:
    large = GgufModel(tmp_path / "large.gguf", Stamp(0, 0, 0, 0), "llama", "Q4_K", 8_000_000_000, True, {})
    require_memory(large, 128 << 30)
    with pytest.raises(ModelRefused, match=r"about 61035 MiB of memory, 8192 MiB are free.*streamed"):
        require_memory(large, 8 << 30)
