"""Scoring within its time: shards that survive a stop, refused texts left out, a least number in any case."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from feedback.privacy.vault import Vault
from online_distill.data.encoding import Encoded
from online_distill.progress import silent
from online_distill.teacher.cache import Memory, TargetCache
from online_distill.teacher.scoring import Scoring
from online_distill.teacher.targets import TopK, load_all
from online_distill.teacher.texts import Text
from understudy.errors import BadRequest

BAD = 99
TEXTS = [Text(f"r{i}/teacher", Encoded([0, 7, i, 4], 2), 1.0) for i in range(40)]


class Teacher:
    """Takes a second of its own clock for each text; refuses texts that hold the token 99."""

    def __init__(self) -> None:
        self.now, self.requests = 0.0, 0

    def score(self, texts: Sequence[Encoded]) -> list[TopK]:
        self.requests += 1
        if any(BAD in text.tokens for text in texts):
            raise BadRequest("no")
        self.now += len(texts)
        return [TopK(np.zeros((2, 3), np.int32), np.full((2, 3), -1.0, np.float32)) for _ in texts]

    def close(self) -> None:
        """Nothing to give back."""


def scoring(folder: Path, teacher: Teacher, seconds: float = 1000.0, least: int = 1, batch: int = 2) -> Scoring:
    return Scoring(folder, teacher, seconds, batch=batch, least=least, clock=lambda: teacher.now)


def test_texts_are_scored_in_their_order_until_time_is_up(tmp_path: Path) -> None:
    summary = scoring(tmp_path, Teacher(), seconds=9.0).run(TEXTS, silent)
    assert (summary["texts"], summary["texts_wanted"], summary["score_seconds"]) == (10, 40, 10.0)
    assert [item.key for item in load_all(tmp_path)] == [text.key for text in TEXTS[:10]]


def test_the_least_number_is_scored_whatever_the_time(tmp_path: Path) -> None:
    assert scoring(tmp_path, Teacher(), seconds=1.0, least=7).run(TEXTS, silent)["texts"] == 8


def test_a_stop_loses_nothing_and_its_time_counts(tmp_path: Path) -> None:
    def stop(done: float, total: float, note: str) -> None:
        if done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scoring(tmp_path, Teacher(), seconds=30.0).run(TEXTS, stop)
    assert len(load_all(tmp_path)) == 20
    teacher = Teacher()
    assert scoring(tmp_path, teacher, seconds=30.0).run(TEXTS, silent)["texts"] == 30
    assert teacher.requests == 5


def test_a_refused_text_costs_itself_alone(tmp_path: Path) -> None:
    texts = [*TEXTS[:5], Text("bad/teacher", Encoded([0, BAD, 4], 2), 1.0)]
    summary = scoring(tmp_path, Teacher(), batch=3).run(texts, silent)
    assert (summary["texts"], summary["refused"]) == (5, 1)
    assert [item.key for item in load_all(tmp_path)] == [text.key for text in TEXTS[:5]]


def test_what_the_teacher_was_asked_in_an_earlier_round_costs_neither_time_nor_a_request(tmp_path: Path) -> None:
    memory = Memory(TargetCache(tmp_path / "targets", 10**6, Vault(tmp_path / "keys")), "t1", 3)
    first, second = Teacher(), Teacher()
    summary = Scoring(tmp_path / "1", first, 99.0, batch=2, least=1, clock=lambda: first.now, memory=memory).run(
        TEXTS[:20], silent
    )
    assert (summary["cached"], summary["seconds_per_text"]) == (0, 1.0)
    again = Scoring(tmp_path / "2", second, 8.0, batch=2, least=1, clock=lambda: second.now, memory=memory)
    summary = again.run(TEXTS, silent)
    assert (summary["texts"], summary["cached"], summary["no_time"], second.requests) == (28, 20, 12, 4)
    assert (summary["seconds_per_text"], summary["score_seconds"]) == (1.0, 8.0)
    assert [item.key for item in load_all(tmp_path / "2")] == [text.key for text in TEXTS[:28]]
    np.testing.assert_array_equal(load_all(tmp_path / "2")[3].top.logprobs, load_all(tmp_path / "1")[3].top.logprobs)
