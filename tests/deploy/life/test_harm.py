"""What counts as harm of a canary; the simulation states its seed and tolerance."""

from __future__ import annotations

import random

import pytest
from pydantic import ValidationError

from ab.summary import Stat
from deploy.life.config import RolloutConfig, RolloutStep
from deploy.life.harm import exposures, guardrails, harm

GOOD = {
    "abnormal_termination": Stat(200, 0.0, 0.0),
    "similarity": Stat(200, 0.8, 0.02),
    "latency": Stat(200, 0.3, 0.01),
}


@pytest.mark.parametrize(
    ("kpi", "value"),
    [
        ("abnormal_termination", Stat(50, 0.2, 0.16)),
        ("similarity", Stat(50, 0.5, 0.02)),
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
    assert harm({"similarity": Stat(5, 0.0, 0.0)}, GOOD, config) is None
    assert harm({**GOOD, "similarity": Stat(50, 0.95, 0.01)}, GOOD, config) is None
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


def test_every_limit_of_the_rollout_is_a_guardrail_of_its_own() -> None:
    config = RolloutConfig(max_abnormal_increase=0.125, similarity_margin=0.25, max_latency_ratio=1.5)
    limits = [(g.kpi, g.max_increase, g.max_decrease, g.max_ratio) for g in guardrails(config)]
    assert limits == [
        ("abnormal_termination", 0.125, None, None),
        ("similarity", None, 0.25, None),
        ("latency", None, None, 1.5),
    ]


def test_falling_shares_are_refused() -> None:
    with pytest.raises(ValidationError, match="do not fall"):
        RolloutConfig(steps=(RolloutStep(share=0.5), RolloutStep(share=0.1)))
