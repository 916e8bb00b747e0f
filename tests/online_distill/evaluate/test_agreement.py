"""Agreement, encoding and the parts of a selection, in English and Chinese."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from online_distill import models
from online_distill.data.encoding import Encoded, Encoder, Row, read_rows, require_shared_tokenizer, write_rows
from online_distill.data.selecting import prompt_key, select
from online_distill.evaluate.agreement import REPLY_TOKENS, agreement
from online_distill.evaluate.judging import judge
from online_distill.teacher.scoring import texts_of
from tests.online_distill.world import TOKENIZER, make_model, make_samples, quick_config
from understudy.errors import ConfigError


def greedy(model: torch.nn.Module, prompt: list[int], n: int) -> list[int]:
    """The model's own greedy continuation."""
    tokens = list(prompt)
    for _ in range(n):
        tokens.append(int(models.reply_logits(model, [[*tokens, 0]], [len(tokens)])[0][0].argmax()))
    return tokens[len(prompt) :]


def test_a_model_agrees_wholly_with_its_own_greedy_reply_and_by_shares_with_an_altered_one(tmp_path: Path) -> None:
    quick_config()
    model = models.load(make_model(tmp_path / "m", seed=3))
    prompt = [0, 2, 300, 301, 4, 3]
    reply = greedy(model, prompt, 10)
    altered = [*reply[:9], (reply[9] + 1) % 4096]
    found = agreement(model, [Encoded([*prompt, *reply], len(prompt)), Encoded([*prompt, *altered], len(prompt))])
    assert found == [1.0, pytest.approx(0.9)]


def test_only_the_first_64_tokens_count(tmp_path: Path) -> None:
    quick_config()
    model = models.load(make_model(tmp_path / "m", seed=3))
    prompt = [0, 2, 300, 301, 4, 3]
    reply = greedy(model, prompt, REPLY_TOKENS)
    assert agreement(model, [Encoded([*prompt, *reply, *[9] * 30], len(prompt))]) == [1.0]


def test_batching_and_padding_change_nothing(tmp_path: Path) -> None:
    quick_config()
    model = models.load(make_model(tmp_path / "m", seed=3))
    texts = [Encoded([0, *range(20, 30 + 3 * i)], 4) for i in range(9)]
    alone = [agreement(model, [text])[0] for text in texts]
    assert agreement(model, texts, batch_tokens=100) == pytest.approx(alone)


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


def test_different_tokenizers_are_refused(tmp_path: Path) -> None:
    model = make_model(tmp_path / "m", seed=1)
    require_shared_tokenizer(TOKENIZER, model)
    (model / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"tokenizer\.json"):
        require_shared_tokenizer(TOKENIZER, model)


@given(hard=st.integers(0, 60), anchors=st.integers(0, 60), share=st.floats(0.05, 0.6))
@settings(max_examples=30, deadline=None)
def test_no_prompt_is_both_trained_on_and_held_out(hard: int, anchors: int, share: float) -> None:
    doubles = [s.model_copy(update={"id": f"d{s.id}", "exchange": f"d{s.exchange}"}) for s in make_samples(10)]
    chosen = select([*make_samples(hard), *doubles], make_samples(anchors), quick_config(holdout_share=share))
    assert not {prompt_key(row) for row in chosen.train} & {prompt_key(row) for row in chosen.holdout}
    keys = [prompt_key(row) for row in chosen.train + chosen.holdout]
    assert len(keys) == len(set(keys))
    assert all(row.weight == (3.0 if row.role == "hard" else 1.0) for row in chosen.train)


def test_rows_survive_the_disk_with_their_language(tmp_path: Path) -> None:
    rows = [Row.of(sample, "hard") for sample in make_samples(4)]
    write_rows(tmp_path / "rows.jsonl", rows)
    assert read_rows(tmp_path / "rows.jsonl") == rows
    assert [row.lang for row in rows] == ["en", "zh", "en", "zh"]


def test_every_beginning_of_the_scoring_order_is_balanced_and_teacher_texts_come_first() -> None:
    rows = [Row.of(s, "hard") for s in make_samples(40)] + [Row.of(s, "anchor") for s in make_samples(40, start=900)]
    texts = texts_of(rows, Encoder(TOKENIZER), quick_config())
    weights = [text.weight for text in texts[:20]]
    assert weights.count(3.0) == weights.count(1.0) == 10
    assert all(text.key.endswith("/teacher") for text in texts[:20])
    assert sum(text.key.endswith("/student") for text in texts) == 40


def test_judging_gives_pairs_and_means_by_language(tmp_path: Path) -> None:
    parent, candidate = make_model(tmp_path / "p", seed=1), make_model(tmp_path / "c", seed=2)
    rows = [Row.of(s, "hard") for s in make_samples(6)] + [Row.of(s, "anchor") for s in make_samples(4, start=900)]
    found = judge(rows, parent, candidate, max_length=512, device=torch.device("cpu"))
    assert len(found["hard"]) == 6
    assert len(found["general"]) == 4
    assert found["summary"]["hard/zh"]["n"] == 3
    assert all(0 <= pair["parent"] <= 1 and 0 <= pair["candidate"] <= 1 for pair in found["hard"])
