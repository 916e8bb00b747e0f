"""Tokenizers and templates of strangers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from onboard.checks.tokens import control_tokens, examine
from onboard.refusal import ModelRefused
from tests.onboard.models import CHATML, ROWS, SPECIAL


def test_a_whole_tokenizer_names_its_size_its_end_and_its_control_tokens(made: Path) -> None:
    found = examine(made, CHATML, ROWS)
    assert (found.size, found.end, found.control) == (320, 2, tuple(sorted(SPECIAL)))


def test_a_vocabulary_larger_than_the_weights_is_refused(made: Path) -> None:
    with pytest.raises(ModelRefused, match="tokenizer has 320 tokens, the weights have 300"):
        examine(made, CHATML, 300)


@pytest.mark.parametrize(("template", "said"), [
    (None, "no chat template"),
    ("{% for m in messages %}", "does not compile"),
    ("{{ raise_exception('no') }}", "fails on a plain dialogue"),
    ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "fails on a plain dialogue"),
    ("<|im_start|>always the same", "leaves out what was said"),
    ("{% for m in messages %}{{ m['content'] }}{% endfor %}", "control tokens cannot be listed"),
    ("{% for m in messages %}🙂{{ m['content'] }}{% endfor %}", "control token|cannot be listed"),
])  # fmt: skip
def test_a_template_that_is_of_no_use_is_refused_with_what_helps(made: Path, template: str | None, said: str) -> None:
    with pytest.raises(ModelRefused, match=rf"{said}.*--template"):
        examine(made, template, ROWS)


def test_marks_that_are_no_special_tokens_are_found_in_what_the_template_writes(made: Path) -> None:
    inst = "{% for m in messages %}{{ '[INST] ' + m['content'] + ' [/INST]' }}{% endfor %}"
    assert {"[INST]", "[/INST]"} <= set(examine(made, inst, ROWS).control)
    plain = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    assert {"user:", "assistant:"} <= set(examine(made, plain, ROWS).control)


def test_a_token_outside_the_basic_plane_cannot_be_split() -> None:
    text = "\U0001f642qqAskedqq\U0001f642qqAnsweredqq\U0001f642qqAskedqq\U0001f642"
    with pytest.raises(ModelRefused, match="cannot be split"):
        control_tokens((text,), ["\U0001f642"])


def test_a_missing_or_broken_tokenizer_says_how_to_get_one(model: Path) -> None:
    (model / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelRefused, match="cannot be read"):
        examine(model, CHATML, ROWS)
    (model / "tokenizer.json").unlink()
    with pytest.raises(ModelRefused, match=r"no tokenizer\.json.*save_pretrained"):
        examine(model, CHATML, ROWS)


def test_a_tokenizer_without_an_end_is_refused(model: Path) -> None:
    (model / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    with pytest.raises(ModelRefused, match="no end token"):
        examine(model, CHATML, ROWS)
