"""What former rounds say: which samples are used up, and how fast the teacher answers."""

from __future__ import annotations

from typing import Any

from deploy.rounds.record import Round, StageRecord
from online_distill.role.history import scoring_pace, trained_up_to, training_pace


def a_round(number: int, **stages: tuple[str, dict[str, Any]]) -> Round:
    records = {name: StageRecord(0.0, 1.0, event, summary) for name, (event, summary) in stages.items()}
    return Round(number, "failed", "v1", "t1", None, "test", 0.0, records)


TRAINED = a_round(
    1, select=("done", {"position": 40}), score=("done", {"seconds_per_text": 0.3}), distil=("done", {})
)  # fmt: skip
DIVERGED = a_round(2, select=("done", {"position": 70}), score=("done", {}), distil=("failed", {}))
TOO_SMALL = a_round(3, select=("failed", {"position": 90}))


def test_only_a_round_that_trained_has_used_samples_up() -> None:
    assert trained_up_to([]) == 0
    assert trained_up_to([TOO_SMALL, DIVERGED]) == 0
    assert trained_up_to([TOO_SMALL, DIVERGED, TRAINED]) == 40


def test_the_pace_is_that_of_the_last_round_in_which_the_teacher_was_asked() -> None:
    assert scoring_pace([TOO_SMALL]) is None
    from_cache = a_round(4, score=("done", {"seconds_per_text": 0.0}))
    assert scoring_pace([from_cache, TOO_SMALL, DIVERGED, TRAINED]) == 0.3


def test_the_pace_of_training_is_that_of_the_last_round_that_trained() -> None:
    assert training_pace([TOO_SMALL, DIVERGED, TRAINED]) is None
    slow, fast = (a_round(n, distil=("done", {"token_seconds": pace})) for n, pace in ((4, 0.5), (5, 0.25)))
    assert training_pace([TOO_SMALL, fast, slow]) == 0.25
