"""Replay that the parent knows: its own targets, and only where every token is its own choice."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from online_distill import models
from online_distill.data.encoding import Encoded
from online_distill.progress import silent
from online_distill.teacher.known import score_known
from online_distill.teacher.local import LocalScorer
from online_distill.teacher.targets import load_all, save_shard
from online_distill.teacher.texts import Text


def greedy(student: Path, prompt: list[int], length: int) -> list[int]:
    """A prompt and the model's own choice after it."""
    model, tokens = models.load(student), list(prompt)
    for _ in range(length):
        tokens.append(int(models.reply_logits(model, [[*tokens, 0]], [len(tokens)])[0].argmax()))
    return tokens


def texts(student: Path) -> list[Text]:
    """Six texts of the model's own, of which every second one has another token at its end."""
    found = []
    for i in range(6):
        tokens = greedy(student, [0, 7 + i, 8, 9], 5 + i)
        if i % 2:
            tokens[-1] = (tokens[-1] + 1) % 50
        found.append(Text(f"row {i}/teacher", Encoded(tokens, 4), 1.0, known=True))
    return found


def test_the_parents_targets_are_kept_where_it_says_every_token_itself(student: Path, tmp_path: Path) -> None:
    given = texts(student)
    kept = score_known(tmp_path, LocalScorer(student, top_k=5), given, silent)
    assert kept == {"row 0/teacher", "row 2/teacher", "row 4/teacher"}
    stored = {item.key: item for item in load_all(tmp_path)}
    assert set(stored) == kept
    for text, top in zip(given, LocalScorer(student, top_k=5).score([t.encoded for t in given]), strict=True):
        if text.key in kept:
            np.testing.assert_array_equal(stored[text.key].top.ids, top.ids)
            np.testing.assert_allclose(stored[text.key].top.logprobs, top.logprobs, atol=1e-5)
            assert stored[text.key].weight == 1.0


def test_a_stage_that_begins_again_takes_what_is_there(student: Path, tmp_path: Path) -> None:
    given = texts(student)
    kept = score_known(tmp_path, LocalScorer(student, top_k=5), given, silent)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    closed = LocalScorer(student, top_k=5)
    closed.close()
    assert score_known(tmp_path, closed, given, silent) == kept
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_it_stands_behind_the_shards_of_the_round(student: Path, tmp_path: Path) -> None:
    given = texts(student)
    score_known(tmp_path, LocalScorer(student, top_k=5), given, silent)
    item = load_all(tmp_path)[0]
    save_shard(tmp_path / "shard-00002.targets", [type(item)("hard/teacher", item.tokens, item.start, 3.0, item.top)])
    assert next(item.key for item in load_all(tmp_path)) == "hard/teacher"
