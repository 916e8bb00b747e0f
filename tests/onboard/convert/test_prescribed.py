"""Tokenizers made of a GGUF give the ids that its metadata prescribe, or the file is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf as library
import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from deploy.registry.store import Registry
from onboard.checks import tokens
from onboard.convert.gguf import convert, read
from onboard.convert.prescribed import PROBES, ids, merged, prescribe, require_same, splitter
from onboard.importing import ImportOptions, import_model
from onboard.refusal import ModelRefused
from tests.onboard import ggufs
from tests.onboard.conftest import ENGINES
from tests.onboard.models import ROWS, learned
from tests.onboard.stages import silent
from understudy.state import StateDir

PLAIN = library.GGMLQuantizationType.F32


@pytest.fixture
def tokenizer(made: Path) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast.from_pretrained(made, bos_token="<|endoftext|>")


def test_the_metadata_alone_give_the_ids_of_the_tokenizer_that_they_were_made_of(
    made: Path, tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    metadata = read(ggufs.write(made, tmp_path / "m.gguf", PLAIN)).metadata
    for probe in PROBES:
        assert ids(metadata, probe) == tokenizer.encode(probe, add_special_tokens=False)


def test_a_pre_tokenizer_by_digits_is_put_in_where_the_conversion_leaves_it_out(
    made: Path, tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    model = json.loads(learned())["model"]
    assert "Ġ" + "4" in model["vocab"] or ["Ġ", "4"] not in model["merges"]
    metadata = read(ggufs.write(made, tmp_path / "m.gguf", PLAIN, pre="smollm")).metadata
    backend = tokenizer.backend_tokenizer
    backend.pre_tokenizer = splitter(metadata, backend)
    for probe in PROBES:
        assert ids(metadata, probe) == tokenizer.encode(probe, add_special_tokens=False)
    assert tokenizer.tokenize("a  22") == ["a", *merged(["Ġ", "Ġ"], {}), "2", "2"]


def test_a_pre_tokenizer_that_nobody_knows_is_refused(state_dir: StateDir, made: Path, tmp_path: Path) -> None:
    file = ggufs.write(made, tmp_path / "m.gguf", PLAIN, pre="of-tomorrow")
    with pytest.raises(ModelRefused, match=r"pre-tokenizer 'of-tomorrow'.*tokenizer\.json"):
        import_model(state_dir, file, ImportOptions("teacher"), ENGINES, silent)


@pytest.mark.parametrize("before", [None, False])
def test_a_sentencepiece_model_gives_the_version_its_ids_and_its_text_back(
    state_dir: StateDir, made: Path, tmp_path: Path, before: bool | None
) -> None:
    """Spaces at the start among them, of which transformers' own class for such files swallows one."""
    file = ggufs.write(made, tmp_path / "m.gguf", PLAIN, kind="llama", add_space_prefix=before)
    import_model(state_dir, file, ImportOptions("teacher"), ENGINES, silent)
    tokenizer = AutoTokenizer.from_pretrained(Registry(state_dir).path("t1"))
    for probe in PROBES:
        given = tokenizer.encode(probe, add_special_tokens=False)
        assert given == ids(read(file).metadata, probe)
        assert (before is False) or given == ggufs.pieces().encode(probe)
        assert tokenizer.decode(given) == probe


def test_a_sentencepiece_model_that_gives_other_ids_is_refused_and_leaves_nothing(
    state_dir: StateDir, made: Path, tmp_path: Path
) -> None:
    pair = next(piece for piece in map(ggufs.pieces().id_to_piece, range(ROWS)) if len(piece) == 2)
    merges = [" ".join(pair)]  # by which transformers joins where a file of this kind brings some
    file = ggufs.write(made, tmp_path / "m.gguf", PLAIN, kind="llama", merges=merges)
    with pytest.raises(
        ModelRefused, match=r"gives the text .Hello, world!.*its own metadata prescribe.*tokenizer\.json"
    ):
        import_model(state_dir, file, ImportOptions("teacher"), ENGINES, silent)
    assert [p.name for p in (state_dir.registry / "imports").iterdir() if p.suffix != ".lock"] == []
    whole = read(ggufs.write(made, tmp_path / "whole.gguf", PLAIN, kind="llama"))
    made_of_it = AutoTokenizer.from_pretrained(tmp_path, gguf_file="whole.gguf")
    with pytest.raises(ModelRefused, match="the text '  two  spaces"):
        require_same(whole.metadata, made_of_it)
    prescribe(whole.metadata, made_of_it.backend_tokenizer)
    require_same(whole.metadata, made_of_it)


def test_what_a_version_would_load_is_compared_too(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = read(ggufs.write(made, tmp_path / "m.gguf", PLAIN, kind="llama"))
    load = tokens.load

    def other(folder: Path) -> Any:
        found = load(folder)
        found.backend_tokenizer.normalizer = None
        return found

    monkeypatch.setattr(tokens, "load", other)
    with pytest.raises(ModelRefused, match="gives the text"):
        convert(model, tmp_path / "out", "keep", silent)
    assert not list((tmp_path / "out").glob("*.safetensors"))


@pytest.mark.parametrize(("changes", "said"), [
    ({"kind": "of-tomorrow"}, r"kind 'of-tomorrow', whose ids cannot be told here.*tokenizer\.json"),
    ({"merges": []}, r"kind 'gpt2' without merges"),
])  # fmt: skip
def test_a_tokenizer_whose_ids_nobody_here_can_tell_is_refused(
    made: Path, tmp_path: Path, tokenizer: PreTrainedTokenizerFast, changes: dict[str, Any], said: str
) -> None:
    metadata = {"tokenizer.ggml.model": changes.get("kind", "gpt2"), "tokenizer.ggml.merges": changes.get("merges")}
    with pytest.raises(ModelRefused, match=said):
        prescribe(metadata, tokenizer.backend_tokenizer)


def test_other_ids_than_prescribed_are_refused(made: Path, tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    metadata = read(ggufs.write(made, tmp_path / "m.gguf", PLAIN)).metadata
    rows = list(metadata["tokenizer.ggml.tokens"])
    small = {**metadata, "tokenizer.ggml.tokens": rows[:320]}
    require_same(small, tokenizer)
    swapped = [*rows[:100], rows[101], rows[100], *rows[102:320]]
    with pytest.raises(ModelRefused, match="the id 101, its own metadata prescribe 100"):
        require_same({**small, "tokenizer.ggml.tokens": swapped}, tokenizer)
    with pytest.raises(ModelRefused, match="its eos token"):
        require_same({**small, "tokenizer.ggml.eos_token_id": 7}, tokenizer)
    with pytest.raises(ModelRefused, match="the text"):
        require_same({**small, "tokenizer.ggml.merges": small["tokenizer.ggml.merges"][:3]}, tokenizer)


def test_the_pair_that_was_learned_first_is_joined_first() -> None:
    ranks = {("b", "c"): 0, ("a", "b"): 1, ("a", "bc"): 2}
    assert merged(list("abc"), ranks) == ["abc"]
    assert merged(list("abd"), ranks) == ["ab", "d"]
