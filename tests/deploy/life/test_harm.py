"""Guardrails of a rollout: which there are, what they say of users, and how that is told."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from ab.guardrails import Guardrail
from ab.sequential.rollout import breach
from deploy.life.config import DEFAULT_GUARDRAILS, RolloutConfig, RolloutStep
from deploy.life.harm import NoEvidence, check, exposures, findings, told, unknown
from feedback.kpis.config import KpisConfig
from feedback.kpis.names import NEW, OLD
from tests.deploy.fleet import FakeEvidence
from understudy.errors import ConfigError

KPIS = KpisConfig()


def counted(*steps: tuple[tuple[int, float], tuple[int, float]], kpi: str = "error_rate") -> FakeEvidence:
    """Users and their share with the worse outcome, of the stable version and of the candidate, by step."""
    made = FakeEvidence()
    for number, (old, new) in enumerate(steps):
        for side, (users, bad) in ((OLD, old), (NEW, new)):
            made.count("v3", str(number), side, users, {kpi: bad})
    return made


def said(evidence: FakeEvidence, config: RolloutConfig | None = None) -> str | None:
    return breach(findings(evidence.trial("v3") or {}, config or RolloutConfig(), KPIS))


@pytest.mark.parametrize("kpi", [rail.kpi for rail in DEFAULT_GUARDRAILS])
def test_each_guardrail_sees_its_own_harm_and_none_in_equals(kpi: str) -> None:
    few = 0.0 if kpi == "latency_p99" else 0.1
    why = said(counted(((400, few), (100, 0.6)), kpi=kpi))
    assert why is not None
    assert why.startswith(kpi)
    assert said(counted(((400, few), (100, few)), kpi=kpi)) is None
    assert said(counted(((400, 0.6), (100, few)), kpi=kpi)) is None
    assert said(counted(((400, few), (5, 0.6)), kpi=kpi)) is None


def test_nothing_is_harm_without_figures() -> None:
    assert said(FakeEvidence()) is None
    assert (NoEvidence().trial("v1"), NoEvidence().p99("v1")) == (None, None)
    assert exposures({}, 0) == 0


def test_a_bad_day_that_both_had_is_no_harm_although_the_candidate_s_users_came_then() -> None:
    assert said(counted(((9_900, 0.01), (100, 0.01)), ((500, 0.2), (9_500, 0.2)))) is None


def test_exposures_are_requests_of_one_step_of_the_candidate_alone() -> None:
    phases = counted(((400, 0.0), (30, 0.0)), ((400, 0.0), (20, 0.0))).trial("v3")
    assert phases is not None
    assert (exposures(phases, 0), exposures(phases, 1), exposures(phases, 2)) == (30, 20, 0)


def test_what_is_told_can_be_written_as_json_whatever_is_known() -> None:
    for evidence in (FakeEvidence(), counted(((400, 0.1), (100, 0.6)))):
        figures = told(findings(evidence.trial("v3") or {}, RolloutConfig(), KPIS))
        assert list(figures) == [rail.kpi for rail in DEFAULT_GUARDRAILS]
        json.dumps(figures, allow_nan=False)
    assert figures["error_rate"]["users"] == [400, 100]


def test_guardrails_given_stand_beside_the_built_in_ones_or_instead() -> None:
    config = RolloutConfig.model_validate(
        {"guardrails": [{"kpi": "takeover", "max_increase": 0.01}, {"kpi": "latency_p99", "max_ratio": 1.2}]}
    )
    limits = {rail.kpi: rail.words for rail in config.guardrails}
    assert limits["takeover"] == "max_increase 0.01"
    assert limits["latency_p99"] == "max_ratio 1.2"
    assert limits["error_rate"] == "max_increase 0"
    assert len(limits) == len(DEFAULT_GUARDRAILS) + 1
    assert RolloutConfig.model_validate(config.model_dump()) == config


@pytest.mark.parametrize(
    "given",
    [
        [{"kpi": "latency_p99", "max_increase": 0.1}],
        [{"kpi": "error_rate", "max_ratio": 2}],
        [{"kpi": "takeover", "max_increase": 0.1}, {"kpi": "takeover", "max_increase": 0.2}],
    ],
)
def test_a_limit_that_a_kpi_does_not_take_is_refused(given: list[dict[str, object]]) -> None:
    with pytest.raises(ValidationError, match="give"):
        RolloutConfig.model_validate({"guardrails": given})


def test_a_kpi_that_nobody_counts_is_refused_by_name() -> None:
    config = RolloutConfig(guardrails=(Guardrail(kpi="smile", max_decrease=0.0),))
    assert list(unknown(config, KpisConfig(declared=("smile",)))) == []
    with pytest.raises(ConfigError, match="names the kpi 'smile', which no canary counts: abnormal_termination, "):
        check(config, KPIS)


def test_falling_shares_are_refused() -> None:
    with pytest.raises(ValidationError, match="do not fall"):
        RolloutConfig(steps=(RolloutStep(share=0.5), RolloutStep(share=0.1)))


def test_a_twentieth_of_the_users_keeps_the_former_version() -> None:
    assert [RolloutStep(share=share).served for share in (0.01, 0.95, 1.0)] == [0.01, 0.95, 0.95]
