"""What a model will be is told alike of every form that it may have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf as library
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from onboard.foreseen import ForeseenModel, foresee
from onboard.refusal import ModelRefused
from tests.onboard import ggufs
from tests.onboard.models import CHATML, ROWS, untaught


def adapted(base: Path, out: Path) -> Path:
    tuned = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
        LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"),
    )
    tuned.save_pretrained(out)
    return out


def test_folder_gguf_and_adapter_of_one_model_are_foreseen_alike(made: Path, tmp_path: Path) -> None:
    file = ggufs.write(made, tmp_path / "m.gguf", library.GGMLQuantizationType.Q8_0)
    paths = {"safetensors": made, "gguf": file, "adapter": adapted(made, tmp_path / "adapter")}
    found = {form: foresee(path, None, None) for form, path in paths.items()}
    folder, plain = found["safetensors"], 234_304 - ROWS * 64  # without the head that it gets
    assert folder.shape.weights == 234_304
    assert folder.examined is not None
    assert [one.form for one in found.values()] == list(paths)
    for form, one in found.items():
        own: dict[str, Any] = {"form": form, "place": paths[form], "numbers": one.numbers, "tokens": one.tokens}
        conversion = 0 if form == "safetensors" else 8 * plain
        expected = replace(folder, **own, conversion=conversion, examined=folder.examined if not conversion else None)
        assert one == expected, form
    assert found["adapter"].tokens == folder.tokens
    assert set(folder.tokens.control) <= set(found["gguf"].tokens.control)
    assert found["gguf"].tokens.size == ROWS
    assert found["gguf"].numbers == ("Q8_0", "dequantised from Q8_0")


def test_a_head_that_stays_tied_is_counted_once_and_learns_nothing(tmp_path: Path) -> None:
    found = foresee(untaught(tmp_path / "tied", "tied"), None, None)
    assert found.examined is not None
    assert found.shape.weights == sum(place.elements for place in found.examined.places.values())
    assert found.tied is not None
    assert found.untaught == found.tied


def test_the_template_that_is_given_is_the_one_that_is_judged(made: Path, tmp_path: Path) -> None:
    file = ggufs.write(made, tmp_path / "m.gguf", library.GGMLQuantizationType.F32, template=None)
    (tmp_path / "good.jinja").write_text(CHATML)
    (tmp_path / "bad.jinja").write_text("{% for m in messages %}")
    for path in (made, file):
        assert isinstance(foresee(path, None, tmp_path / "good.jinja"), ForeseenModel)
        with pytest.raises(ModelRefused, match="does not compile"):
            foresee(path, None, tmp_path / "bad.jinja")
        with pytest.raises(ModelRefused, match=r"none\.jinja cannot be read"):
            foresee(path, None, tmp_path / "none.jinja")
