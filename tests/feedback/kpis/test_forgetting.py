"""A tenant that is forgotten leaves nothing by which a user, reply or session could be found, and others stay."""

from __future__ import annotations

import time

from feedback.events import Verdict
from feedback.kpis.effects import verdict_effects
from feedback.kpis.forgetting import forget_tenant, forget_versions
from feedback.kpis.names import trial
from tests.feedback.applying import KEYS, Applier, feedback
from tests.feedback.factory import exchange

NOW = time.time()


def keys_with(applier: Applier, text: str) -> set[bytes]:
    """Keys that name it, and hashes with a field that does."""
    found = {key for key in applier.client.scan_iter("*") if text.encode() in key}
    hashes = list(applier.client.scan_iter("*", _type="hash"))
    return found | {key for key in hashes if any(text.encode() in field for field in applier.client.hkeys(key))}


def test_rows_targets_and_waiting_feedback_of_one_tenant_go_and_their_bytes_come_back(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.events([exchange(n, tenant="乙", unit=f"u{n}", at=NOW - n * 3600 * 20) for n in range(10)])
    before = applier.kpis.held()
    applier.events([exchange(n, tenant="甲", unit=f"u{n}", at=NOW - n * 3600 * 20) for n in range(20, 30)])
    applier.events([feedback(n, 1.0, f"resp-{n}", at=NOW, tenant="甲") for n in (22, 99)])
    assert forget_tenant(applier.client, KEYS, "甲") == 10 + 10 + 7 + 1
    assert applier.kpis.held() == before
    assert keys_with(applier, "甲") == set()
    assert applier.kpis.by("arm")["teacher"]["requests"]["n"] == 20
    assert forget_tenant(applier.client, KEYS, "甲") == 0
    applier.events([feedback(1, 1.0, "resp-3", at=NOW, tenant="乙"), feedback(2, 1.0, "resp-22", at=NOW, tenant="甲")])
    assert applier.kpis.by("arm")["teacher"]["rating"]["n"] == 2


def test_whoever_is_forgotten_may_come_again(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.events([exchange(1)])
    forget_tenant(applier.client, KEYS, "default")
    applier.events([exchange(2, unit="u1"), feedback(1, 1.0, "resp-2", at=NOW)])
    assert applier.kpis.held()["rows"] > 0
    assert applier.kpis.by("arm")["teacher"]["rating"]["n"] == 1


def test_the_sums_of_versions_that_are_gone_go_and_those_of_their_arm_and_of_others_stay(redis_url: str) -> None:
    applier = Applier(redis_url)
    places = [("student", "v1"), ("student", "v11"), ("teacher", "t1")]
    applier.events([
        exchange(n, unit=f"u{n}", at=NOW - n * 3600, arm=arm, version=version)
        for n, (arm, version) in enumerate(places * 4)
    ])  # fmt: skip
    arms = applier.kpis.by("arm")
    others = {kind: getattr(applier.kpis, kind)("version") for kind in ("by", "cohorts")}
    assert forget_versions(applier.client, KEYS, ["v1", "v7"]) == ["v1"]
    assert applier.kpis.by("arm") == arms
    for kind, before in others.items():
        assert set(before) == {"v1", "v11", "t1"}
        assert getattr(applier.kpis, kind)("version") == {name: before[name] for name in ("t1", "v11")}
    assert applier.kpis.quantiles("version", "v1") == {}
    assert not [*applier.client.scan_iter("*version:v1"), *applier.client.scan_iter("*version:v1:*")]
    assert forget_versions(applier.client, KEYS, ["v1", "v7"]) == []


def test_the_sums_of_a_canary_go_with_its_version_and_those_of_others_stay(redis_url: str) -> None:
    applier = Applier(redis_url)
    for n, version in enumerate(("v1", "v11")):
        applier.events([
            exchange(
                10 * n + part, unit=f"u{n}{part}", arm="student", version=version,
                rollout=trial(version, step, new=new),
            )
            for part, (step, new) in enumerate([(0, True), (0, False), (1, True)])
        ])  # fmt: skip
        pair = Verdict(
            id=f"p{n}", session="s", at=NOW, exchange="e", teacher="t1", student=version, similarity=0.5, unit="u",
            rollout=trial(version, 0, new=True, copies=True),
        )  # fmt: skip
        assert applier.commands([verdict_effects(KEYS, pair)]) == (1, 0, "")
    others = applier.kpis.trial("v11")
    assert len(others) == len(applier.kpis.trial("v1")) == 3
    assert forget_versions(applier.client, KEYS, ["v1"]) == ["v1"]
    assert applier.kpis.trial("v1") == {}
    assert applier.kpis.trial("v11") == others
    names = [key.decode() for key in applier.client.scan_iter(f"{KEYS.prefix}kpi:*")]
    assert [name for name in names if "v1" in name.split(":")] == []
