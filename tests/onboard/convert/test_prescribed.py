"""Tokenizers made of a GGUF give the ids that its metadata prescribe, or the file is refused."""

from __future__ import annotations

import json
from pathlib import Path

import gguf as library
import pytest
from transformers import PreTrainedTokenizerFast

from onboard.convert.gguf import read
from onboard.convert.prescribed import PROBES, ids, merged, require_same, splitter
from onboard.importing import ImportOptions, import_model
from onboard.refusal import ModelRefused
from tests.onboard import ggufs
from tests.onboard.conftest import ENGINES
from tests.onboard.models import learned
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
