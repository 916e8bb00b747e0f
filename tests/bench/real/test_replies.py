"""Greedy replies are kept for what was asked, and of whom."""

from __future__ import annotations

from pathlib import Path

from bench.real.prompts import RealPrompt
from bench.real.replies import KeptReplies, greedy, until
from online_distill import models
from online_distill.data.encoding import Encoder
from tests.onboard.models import tiny


def one(name: str, text: str) -> RealPrompt:
    return RealPrompt(f"{name}/0", name, ({"role": "user", "content": text},))


def test_a_reply_ends_with_its_first_end() -> None:
    assert until([5, 2, 7, 2], 2) == [5, 2]
    assert until([5, 7], 2) == [5, 7]


def test_a_kept_reply_is_that_of_the_same_model_to_the_same_words_whatever_the_row_is_called(tmp_path: Path) -> None:
    file, folder, other = tmp_path / "replies.jsonl", tiny(tmp_path / "a", layers=2), tiny(tmp_path / "b", seed=1)
    encoder = Encoder(folder)
    asked, same_name = one("1", "Where is my order 4711?"), one("1", "I would like a refund of 20 euros, please.")
    first = KeptReplies(file, folder, encoder).of([asked])
    assert KeptReplies(file, folder, encoder).of([same_name]) == greedy(models.load(folder), encoder, [same_name])
    assert KeptReplies(file, other, encoder).of([asked]) == greedy(models.load(other), encoder, [asked]) != first
    before = file.read_text()
    assert KeptReplies(file, folder, encoder).of([one("another name", "Where is my order 4711?")]) == first
    assert file.read_text() == before, "what is there was asked again"
