"""Agreement: the share of the teacher's tokens that the student's argmax gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from online_distill import models
from online_distill.data.encoding import Encoded
from online_distill.evaluate.agreement import REPLY_TOKENS, agreement


def greedy(model: torch.nn.Module, prompt: list[int], n: int) -> list[int]:
    """The model's own greedy continuation."""
    tokens = list(prompt)
    for _ in range(n):
        tokens.append(int(models.reply_logits(model, [[*tokens, 0]], [len(tokens)])[0][0].argmax()))
    return tokens[len(prompt) :]


def test_a_model_agrees_wholly_with_its_own_greedy_reply_and_by_shares_with_an_altered_one(student: Path) -> None:
    model = models.load(student)
    prompt = [0, 2, 300, 301, 4, 3]
    reply = greedy(model, prompt, 10)
    altered = [*reply[:9], (reply[9] + 1) % 4096]
    found = agreement(model, [Encoded([*prompt, *reply], len(prompt)), Encoded([*prompt, *altered], len(prompt))])
    assert found == [1.0, pytest.approx(0.9)]


def test_only_the_first_64_tokens_count(student: Path) -> None:
    model = models.load(student)
    prompt = [0, 2, 300, 301, 4, 3]
    reply = greedy(model, prompt, REPLY_TOKENS)
    assert agreement(model, [Encoded([*prompt, *reply, *[9] * 30], len(prompt))]) == [1.0]


def test_batching_and_padding_change_nothing(student: Path) -> None:
    model = models.load(student)
    texts = [Encoded([0, *range(20, 30 + 3 * i)], 4) for i in range(9)]
    alone = [agreement(model, [text])[0] for text in texts]
    assert agreement(model, texts, batch_tokens=100) == pytest.approx(alone)
