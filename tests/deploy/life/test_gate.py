"""The gate as a statistic; simulations state their seed and tolerance."""

from __future__ import annotations

import math
import random

import pytest

from deploy.life.config import GateConfig
from deploy.life.gate import Evaluation, JudgedPair, decide

CONFIG = GateConfig()


def pairs(differences: list[float], base: float = 0.5) -> tuple[JudgedPair, ...]:
    return tuple(JudgedPair(id=str(i), parent=base, candidate=base + d) for i, d in enumerate(differences))


def evaluation(hard: float = 0.2, general: float = 0.0, n: int = 50, finite: bool = True) -> Evaluation:
    wobble = [0.01 * (i % 5 - 2) for i in range(n)]
    return Evaluation(
        candidate_finite=finite, hard=pairs([hard + w for w in wobble]), general=pairs([general + w for w in wobble])
    )


def test_better_on_hard_and_not_worse_on_general_passes() -> None:
    decision = decide(evaluation(), CONFIG)
    assert decision.passed
    assert decision.reasons == ()
    assert decision.hard is not None
    assert decision.hard.difference == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("given_", "fingerprint", "word"),
    [
        (evaluation(finite=False), True, "not finite"),
        (evaluation(), False, "fingerprint"),
        (evaluation(hard=0.0), True, "hard prompts"),
        (evaluation(hard=-0.1), True, "hard prompts"),
        (evaluation(general=-0.05), True, "general prompts"),
        (evaluation(hard=math.nan), True, "hard prompts"),
        (evaluation(general=math.nan), True, "general prompts"),
        (evaluation(n=5), True, "fewer than"),
        (Evaluation(candidate_finite=True), True, "0 held-out hard"),
    ],
)
def test_everything_else_is_rejected_with_its_reason(given_: Evaluation, fingerprint: bool, word: str) -> None:
    decision = decide(given_, CONFIG, fingerprint=fingerprint)
    assert not decision.passed
    assert any(word in reason for reason in decision.reasons)


def test_a_candidate_that_is_no_better_passes_as_seldom_as_alpha_says() -> None:
    """Seed 7, 2,000 runs of 100 prompts at alpha 0.05: between 3 % and 7 % pass."""
    chance = random.Random(7)
    passed = 0
    for _ in range(2000):
        hard = pairs([chance.gauss(0, 0.2) for _ in range(100)])
        general = pairs([chance.gauss(0.1, 0.01) for _ in range(100)])
        passed += decide(Evaluation(candidate_finite=True, hard=hard, general=general), CONFIG).passed
    assert 0.03 <= passed / 2000 <= 0.07


def test_a_general_loss_of_the_margin_passes_as_seldom_as_alpha_says() -> None:
    """Seed 8, 2,000 runs of 100 prompts at alpha 0.05: at most 7 % pass."""
    chance = random.Random(8)
    passed = 0
    for _ in range(2000):
        general = pairs([chance.gauss(-CONFIG.general_margin, 0.1) for _ in range(100)])
        hard = pairs([chance.gauss(0.3, 0.01) for _ in range(100)])
        passed += decide(Evaluation(candidate_finite=True, hard=hard, general=general), CONFIG).passed
    assert passed / 2000 <= 0.07


def test_the_record_of_a_round_names_parent_and_candidate() -> None:
    told = decide(evaluation(n=10), CONFIG).summary()
    assert told["passed"] is True
    assert list(told["hard"]) == ["n", "parent", "candidate", "difference", "lower"]
    assert told["hard"]["candidate"] - told["hard"]["parent"] == pytest.approx(told["hard"]["difference"])
    assert decide(Evaluation(candidate_finite=True), CONFIG).summary()["general"] is None
