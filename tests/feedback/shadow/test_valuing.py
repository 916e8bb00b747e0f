"""Metrics of what everybody who answers in some cell replies to a copy."""

from __future__ import annotations

from feedback.checks.building import build
from feedback.events import PhaseArm
from feedback.kpis.coalitions import METRICS
from feedback.shadow.config import ShadowConfig
from feedback.shadow.pairing import Valuation
from feedback.shadow.valuing import CopyReplies, copy_commands, metrics
from feedback.store.keys import RedisKeys
from tests.feedback.factory import exchange

CHECKS = build(ShadowConfig())
IN_E, IN_F = PhaseArm(experiment="e", phase=1, arm="none"), PhaseArm(experiment="f", phase=4, arm="routing")
ASKED = Valuation(
    ((IN_E, ("teacher", "stable", "candidate")), (IN_F, ("teacher", "student"))), "v1", "v2", None
)  # fmt: skip
RIGHT, WRONG = "Your order arrives in 3 days.", "Your order arrives in 5 days, and it is on its way."


def test_the_teachers_reply_is_like_itself_and_a_students_is_held_against_it() -> None:
    copied = CopyReplies(ASKED, RIGHT, {"v1": WRONG, "v2": RIGHT}, cut=False)
    found = metrics(exchange(1), copied, "en", CHECKS)
    assert {name: found["teacher"][name] for name in METRICS[:4]} == {
        "similarity": 1.0, "exact": 1.0, "facts": 1.0, "failed_checks": 0.0,
    }  # fmt: skip
    assert found["v2"] == found["teacher"]
    assert (found["v1"]["exact"], found["v1"]["facts"], found["v1"]["failed_checks"]) == (0.0, 0.0, 1.0)
    assert found["v1"]["similarity"] < 1.0
    assert (found["v1"]["length"], found["teacher"]["length"]) == (len(WRONG), len(RIGHT))


def test_where_a_limit_ended_one_all_are_compared_as_far_as_the_shortest_goes() -> None:
    copied = CopyReplies(ASKED, RIGHT, {"v1": RIGHT[:12], "v2": RIGHT}, cut=True)
    found = metrics(exchange(1), copied, "en", CHECKS)
    assert [found[who]["exact"] for who in ("teacher", "v1", "v2")] == [1.0, 1.0, 1.0]
    assert [found[who]["length"] for who in ("v1", "v2")] == [12.0, len(RIGHT)]
    whole = metrics(exchange(1), CopyReplies(ASKED, RIGHT, copied.students, cut=False), "en", CHECKS)
    assert whole["v1"]["exact"] == 0.0


def test_each_experiment_gets_the_replies_of_its_own_switches() -> None:
    copied = CopyReplies(ASKED, RIGHT, {"v1": WRONG, "v2": RIGHT}, cut=False)
    whole, alone = copy_commands(RedisKeys(), exchange(1), copied, "en", CHECKS)
    assert ("paired:e:v1+v2:1" in whole[3], "paired:f:v1+:4" in alone[3]) == (True, True)
    assert (whole[5]["exact@1"], whole[5]["exact@2"]) == (-1.0, 0.0)
    assert (alone[5]["exact@1"], "exact@2" in alone[5]) == (-1.0, False)
