"""config.json and the template, and what is refused on sight."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from onboard.refusal import ModelRefused
from onboard.source.files import look
from onboard.source.settings import settings, template_of
from tests.onboard.models import CHATML, change_settings


def test_code_that_comes_with_a_model_is_refused(model: Path) -> None:
    change_settings(model, auto_map={"AutoModelForCausalLM": "modeling_own.OwnForCausalLM"})
    with pytest.raises(ModelRefused, match=r"auto_map.*never run"):
        settings(look(model))


def test_code_that_comes_with_a_tokenizer_is_refused(model: Path) -> None:
    own = json.loads((model / "tokenizer_config.json").read_text())
    own["auto_map"] = {"AutoTokenizer": ["tokenization_own.OwnTokenizer", None]}
    (model / "tokenizer_config.json").write_text(json.dumps(own))
    with pytest.raises(ModelRefused, match=r"tokenizer_config\.json asks for code .*auto_map.*never run"):
        settings(look(model))


def test_packed_weights_name_their_kind_and_what_to_take(model: Path) -> None:
    change_settings(model, quantization_config={"quant_method": "awq"})
    with pytest.raises(ModelRefused, match=r"packed \(awq\).*bf16"):
        settings(look(model))


@pytest.mark.parametrize("text", ["", "[]", "{", "\xff"])
def test_what_is_no_object_is_refused(model: Path, text: str) -> None:
    (model / "config.json").write_text(text, "latin-1")
    with pytest.raises(ModelRefused, match=r"config\.json"):
        settings(look(model))


def test_the_template_is_found_wherever_a_folder_keeps_it(model: Path, tmp_path: Path) -> None:
    assert template_of(look(model)) == CHATML
    (model / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": [{"name": "tool_use", "template": "x"}, {"name": "default", "template": CHATML}]})
    )
    assert template_of(look(model)) == CHATML
    (model / "chat_template.jinja").write_text("of its own")
    assert template_of(look(model)) == "of its own"
    (tmp_path / "mine.jinja").write_text("mine")
    assert template_of(look(model), tmp_path / "mine.jinja") == "mine"
    with pytest.raises(ModelRefused, match="cannot be read"):
        template_of(look(model), tmp_path / "none.jinja")
