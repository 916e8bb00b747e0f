"""Text as tokens, in English and Chinese: the template, the end token, what does not fit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from online_distill.data.encoding import Encoder, require_shared_tokenizer
from tests.online_distill.world import TOKENIZER
from understudy.errors import ConfigError


def test_a_chinese_sample_is_rendered_with_the_template_and_ends_with_the_end_token() -> None:
    encoder = Encoder(TOKENIZER)
    found = encoder.encode([{"role": "user", "content": "订单 12 到哪了?"}], "周五送达。", max_length=100, max_reply=64)
    assert found is not None
    text = encoder.tokenizer.decode(found.tokens)
    assert text == "<|bos|><|user|>订单 12 到哪了?<|end|><|assistant|>周五送达。<|end|>"
    assert encoder.tokenizer.decode(found.tokens[found.start :]) == "周五送达。<|end|>"


def test_what_does_not_fit_is_left_out_and_a_long_reply_is_cut() -> None:
    encoder = Encoder(TOKENIZER)
    messages = [{"role": "user", "content": "Hello"}]
    assert encoder.encode(messages, "a " * 400, max_length=100, max_reply=500) is None
    assert encoder.encode(messages, "", max_length=100, max_reply=50) is None
    cut = encoder.encode(messages, "a b c d e f g h i j k", max_length=100, max_reply=5)
    assert cut is not None
    assert len(cut.tokens) - cut.start == 5
    assert cut.tokens[-1] != encoder.end


def test_a_reply_that_a_limit_ended_has_no_end_and_loses_its_last_token() -> None:
    encoder = Encoder(TOKENIZER)
    messages = [{"role": "user", "content": "Hello"}]
    whole = encoder.encode(messages, "Your order arrives on", max_length=100, max_reply=50)
    cut = encoder.encode(messages, "Your order arrives on", max_length=100, max_reply=50, cut=True)
    assert whole is not None
    assert cut is not None
    assert cut.tokens == whole.tokens[:-2]


def test_different_tokenizers_are_refused(student: Path, tmp_path: Path) -> None:
    model = shutil.copytree(student, tmp_path / "m")
    require_shared_tokenizer(TOKENIZER, model)
    (model / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"tokenizer\.json"):
        require_shared_tokenizer(TOKENIZER, model)
