"""Whose verdicts hold: modes by tenant, thresholds and modes of the routing document, sessions in quarantine."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from deploy.routing.document import RoutingDocument
from deploy.routing.documents import DocumentParser
from deploy.routing.guarding import GuardRules
from serving.gateway.guarding import watch as room
from serving.gateway.guarding.watch import GuardWatch
from serving.guard.cascade import GuardedText, Thresholds
from serving.guard.config import GuardConfig
from serving.guard.verdict import GuardVerdict
from tests.serving.guard.words import DOUBTFUL, WordModel


def watch(**settings: object) -> GuardWatch:
    return GuardWatch(GuardConfig.model_validate(settings), WordModel())


def test_the_routing_document_s_word_stands_over_the_settings_and_a_tenant_s_over_all() -> None:
    one = watch(mode="enforce", tenants={"b": "off"})
    assert [one.mode(tenant) for tenant in "ab"] == ["enforce", "off"]
    one.follow(GuardRules(mode="observe", tenants={"c": "enforce"}))
    assert [one.mode(tenant) for tenant in "abc"] == ["observe", "observe", "enforce"]
    one.follow(None)
    assert [one.mode(tenant) for tenant in "ab"] == ["enforce", "off"]


def test_serve_begins_by_watching_alone() -> None:
    assert watch().mode("default") == "observe"


def test_thresholds_of_the_settings_stand_over_the_model_s_and_those_of_the_document_over_both() -> None:
    one = watch(flag=1.5)
    assert one.guard.thresholds == Thresholds(1.5, 2.0)
    one.follow(GuardRules(degrade=0.5))
    assert one.guard.thresholds == Thresholds(1.5, 1.5)
    one.follow(GuardRules(flag=0.1, degrade=0.5))
    assert one.guard.judge([GuardedText(DOUBTFUL)]).verdict is GuardVerdict.DEGRADE
    one.follow(None)
    assert one.guard.judge([GuardedText(DOUBTFUL)]).verdict is GuardVerdict.ALLOW


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("key", ['"flag":0.125', '"degrade":0.5'])
def test_a_routing_document_whose_threshold_is_no_number_is_refused(key: str, value: str) -> None:
    text = RoutingDocument(epoch=3, guard=GuardRules(flag=0.125, degrade=0.5)).model_dump_json()
    assert key in text
    assert DocumentParser().parse(text, "here") is not None
    assert DocumentParser().parse(text.replace(key, f"{key.split(':')[0]}:{value}"), "here") is None


def test_thresholds_in_the_wrong_order_are_refused() -> None:
    for kind in (GuardConfig, GuardRules):
        with pytest.raises(ValidationError, match="`degrade` must not be below `flag`"):
            kind.model_validate({"flag": 2.0, "degrade": 1.0})


def test_a_session_stays_in_quarantine_and_no_more_are_known_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_SESSIONS", 2)
    one = watch()
    for session in "abac":
        one.quarantine("t", session)
    assert [one.quarantined("t", session) for session in "abc"] == [True, False, True]
    assert not one.quarantined("other", "a")
