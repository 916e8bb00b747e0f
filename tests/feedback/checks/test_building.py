"""The checks as they are built and run together."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.checks.building import BUILDERS, LONGEST, build, run_checks
from feedback.checks.config import ChecksConfig
from feedback.checks.kinds import Cost, Finding, ReplyPair, ReplySpan
from feedback.events import CHECK_KINDS
from feedback.shadow.config import ShadowConfig

CHECKS = build(ChecksConfig())


def findings(teacher: str, student: str) -> dict[str, bool]:
    return {kind: f.failed for kind, f in run_checks(ReplyPair([], teacher, student), CHECKS).items()}


@pytest.mark.parametrize("text", ["您的订单将在 3 天内送达。", "Your refund of $12.50 arrives by March 5."])
def test_the_same_reply_passes_every_check(text: str) -> None:
    assert findings(text, text) == {"semantic": False, "logic": False, "quality": False}


def test_other_answers_fail_the_semantic_check() -> None:
    assert findings("您的订单将在 3 天内送达。", "请提供您的邮箱地址。")["semantic"]
    assert findings("Your order arrives on Monday.", "")["semantic"]


@given(st.text(max_size=120), st.text(max_size=120))
def test_checks_take_any_text(teacher: str, student: str) -> None:
    for check in CHECKS:
        finding = check(ReplyPair([], teacher, student))
        assert finding.kind == check.kind
        assert 0 <= finding.score <= 1


def test_replies_are_compared_to_a_length() -> None:
    head = "The order is on its way to you. " * (LONGEST // 30)
    assert findings(head + "It arrives in 3 days.", head + "It arrives in 5 days.")["logic"] is False


def test_every_kind_is_built_and_bears_its_name() -> None:
    assert tuple(BUILDERS) == CHECK_KINDS
    assert tuple(check.kind for check in CHECKS) == CHECK_KINDS


def test_thresholds_come_from_the_section_of_shadow_traffic() -> None:
    pair = ReplyPair([], "Your order arrives on Monday.", "Your order comes by Monday, I think.")
    strict, lax = (
        run_checks(pair, build(ShadowConfig.model_validate({"semantic_threshold": t, "quality_margin": 0.35})))
        for t in (0.9, 0.1)
    )
    assert (strict["semantic"].failed, lax["semantic"].failed) == (True, False)
    assert strict["semantic"].score == lax["semantic"].score
    margins = (
        run_checks(ReplyPair([], pair.teacher, "no"), build(ShadowConfig(quality_margin=margin)))["quality"]
        for margin in (0.0, 1.0)
    )
    assert [finding.failed for finding in margins] == [True, False]


class Asked:
    """A check that holds a model, here whatever answers a text with places in it."""

    kind = "asked"

    def __init__(self, model: Callable[[str], list[tuple[int, int]]]) -> None:
        self._model = model

    def __call__(self, pair: ReplyPair) -> Finding:
        spans = tuple(ReplySpan("student", start, end, "made up") for start, end in self._model(pair.student))
        return Finding(self.kind, float(not spans), bool(spans), spans=spans, cost=Cost(0.5, len(pair.student)))


def test_a_check_may_hold_a_model_and_say_where_and_at_what_cost() -> None:
    pair = ReplyPair([], "In 3 days.", "In 3 days, by drone." + " " * LONGEST)
    found = run_checks(pair, [*CHECKS, Asked(lambda text: [(11, 19)])])
    assert list(found) == [*CHECK_KINDS, "asked"]
    (span,) = found["asked"].spans
    assert pair.student[span.start : span.end] == "by drone"
    assert found["asked"].cost == Cost(0.5, LONGEST)
    assert found["logic"].cost == Cost()
