"""The gate and the guardrails as statistics; simulations state their seed and tolerance."""

from __future__ import annotations

import math
import random
from statistics import fmean, variance

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ab.guardrails import Stat, exposures, harm
from deploy.life.config import GateConfig, RolloutConfig, RolloutStep
from deploy.life.gate import Evaluation, Pair, decide

CONFIG = GateConfig()


def pairs(differences: list[float], base: float = 0.5) -> tuple[Pair, ...]:
    return tuple(Pair(id=str(i), parent=base, candidate=base + d) for i, d in enumerate(differences))


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


VALUES = st.lists(st.floats(-10, 10, allow_nan=False), min_size=2, max_size=30)


@settings(deadline=None)
@given(VALUES, VALUES)
def test_summaries_subtract(first: list[float], second: list[float]) -> None:
    both = first + second
    later = Stat(len(both), fmean(both), variance(both)).minus(Stat(len(first), fmean(first), variance(first)))
    assert later.n == len(second)
    assert later.mean == pytest.approx(fmean(second), abs=1e-6)
    assert later.var == pytest.approx(variance(second), abs=1e-5)


GOOD = {"abnormal_termination": Stat(200, 0.0, 0.0), "agreement": Stat(200, 0.8, 0.02), "latency": Stat(200, 0.3, 0.01)}


@pytest.mark.parametrize(
    ("kpi", "value"),
    [
        ("abnormal_termination", Stat(50, 0.2, 0.16)),
        ("agreement", Stat(50, 0.5, 0.02)),
        ("latency", Stat(50, 1.2, 0.02)),
    ],
)
def test_clear_harm_is_named(kpi: str, value: Stat) -> None:
    why = harm({**GOOD, kpi: value}, GOOD, RolloutConfig())
    assert why is not None
    assert kpi in why


def test_no_harm_is_seen_in_equals_in_few_and_in_better_ones() -> None:
    config = RolloutConfig()
    assert harm(GOOD, GOOD, config) is None
    assert harm({"agreement": Stat(5, 0.0, 0.0)}, GOOD, config) is None
    assert harm({**GOOD, "agreement": Stat(50, 0.95, 0.01)}, GOOD, config) is None
    assert harm({}, {}, config) is None
    assert exposures(GOOD) == 200
    assert exposures({}) == 0


def test_a_candidate_as_good_as_stable_is_seldom_rolled_back_although_looked_at_all_the_time() -> None:
    """Seed 9, 300 canaries of 300 replies, looked at after each: at most 5 % false alarms."""
    chance, config, alarms = random.Random(9), RolloutConfig(max_abnormal_increase=0.0), 0
    stable = {"abnormal_termination": Stat(5000, 0.05, 0.0475)}
    for _ in range(300):
        bad = 0
        for n in range(1, 301):
            bad += chance.random() < 0.05
            mean = bad / n
            if harm({"abnormal_termination": Stat(n, mean, mean * (1 - mean))}, stable, config):
                alarms += 1
                break
    assert alarms / 300 <= 0.05


def test_falling_shares_are_refused() -> None:
    with pytest.raises(ValidationError, match="do not fall"):
        RolloutConfig(steps=(RolloutStep(share=0.5), RolloutStep(share=0.1)))
