"""Loading, running and writing models: padding is never seen, an export loads as it was written."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from online_distill import models
from understudy.errors import ConfigError, IntegrityError
from understudy.files import read_json


def test_what_transformers_warns_of_goes_where_this_process_logs() -> None:
    models.prepare(1)
    logger = logging.getLogger("transformers")
    assert logger.propagate
    assert logging.StreamHandler not in {type(handler) for handler in logger.handlers}


@given(lengths=st.lists(st.integers(1, 60), min_size=1, max_size=40), bound=st.integers(60, 300))
def test_batches_hold_each_text_once_and_keep_their_bound(lengths: list[int], bound: int) -> None:
    batches = list(models.by_length(lengths, bound))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(max(lengths[i] for i in batch) * len(batch) <= bound for batch in batches)


def test_logits_are_those_of_the_reply_whatever_stands_beside_it(student: Path) -> None:
    model = models.load(student)
    short, long = [0, 7, 8, 9], [0, 7, 8, 9, 10, 11, 12, 13]
    whole = model(torch.tensor([long])).logits[0]
    first, second = models.reply_logits(model, [short, long], [2, 3])
    torch.testing.assert_close(second, whole[2:7].detach(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(first, whole[1:3].detach(), atol=1e-5, rtol=1e-5)


def test_an_export_has_a_head_of_its_own_and_the_parents_other_files(student: Path, tmp_path: Path) -> None:
    model = models.load(student)
    models.export(model, student, tmp_path / "out")
    again = models.load(tmp_path / "out").state_dict()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(again[name], value, rtol=1e-2, atol=1e-3)
    settings = read_json(tmp_path / "out" / "config.json")
    assert (settings["tie_word_embeddings"], settings["dtype"]) == (False, "bfloat16")
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == (student / "tokenizer.json").read_bytes()


def test_a_weight_that_is_no_number_is_seen(student: Path) -> None:
    model = models.load(student)
    assert models.finite(model)
    with torch.no_grad():
        model.get_output_embeddings().weight[0, 0] = float("inf")
    assert not models.finite(model)


def test_what_cannot_be_used_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(IntegrityError, match="no readable model"):
        models.load(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert models.pick_device("auto").type == "cpu"
    with pytest.raises(ConfigError, match=r"trainer\.device"):
        models.pick_device("cuda")


def test_bfloat16_is_reckoned_in_only_where_the_cpu_multiplies_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    for flags, numbers in (({"avx2", "avx512f"}, torch.float32), ({"avx2", "amx_bf16"}, torch.bfloat16)):
        monkeypatch.setattr(models, "cpu_flags", lambda flags=flags: frozenset(flags))
        assert models.pick_numbers(cpu) == numbers
