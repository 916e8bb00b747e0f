"""The way of an unfit student from its rounds, and an estimate that promises nothing."""

from __future__ import annotations

from typing import Any

from deploy.life.config import GateConfig
from deploy.life.unfit.way import missing, way
from deploy.rounds.record import Round, StageRecord

CONFIG = GateConfig()


def one(number: int, parent: str, candidate: str, before: float, after: float, state: str = "learned") -> Round:
    """A round of a minute that began at its number's minute."""
    told: dict[str, Any] = {"before": before, "agreement": after, "lower": after - 0.02, "exact": 0.0, "n": 120}
    stages = {"gate": StageRecord(0.0, 1.0, "learned", {"fitness": told})}
    at = 60.0 * number
    return Round(number, state, parent, "t1", candidate, "", at, stages, since=at + 60)


LINE = [
    one(4, "v4", "v5", 0.6, 0.59, "rejected"),
    one(3, "v2", "v4", 0.4, 0.6),
    one(2, "v2", "v3", 0.4, 0.39, "rejected"),
    one(1, "v1", "v2", 0.1, 0.4),
]


def test_the_way_is_the_line_from_the_cut_with_the_rounds_that_brought_nothing() -> None:
    other = one(5, "v9", "v10", 0.0, 0.5)
    steps = way("v4", [other, *LINE])
    assert [(step.round, step.parent, step.version, step.better) for step in steps] == [
        (1, "v1", "v2", True), (2, "v2", "v3", False), (3, "v2", "v4", True), (4, "v4", "v5", False),
    ]  # fmt: skip
    assert (steps[2].before, steps[2].agreement, steps[2].n) == (0.4, 0.6, 120)
    assert way("v7", LINE) == ()


def test_facts_stand_beside_agreement_where_the_record_has_them() -> None:
    old, new = one(1, "v1", "v2", 0.1, 0.4), one(2, "v2", "v3", 0.4, 0.6)
    new.stages["gate"].summary["general"] = {"candidate": 0.6, "facts": {"parent": 0.1, "candidate": 0.25}}
    assert [step.facts for step in way("v3", [new, old])] == [None, 0.25]
    new.stages["gate"].summary["general"] = None
    assert way("v3", [new])[0].facts is None


def test_the_rest_is_told_by_the_share_of_what_lacks_that_the_latest_rounds_closed() -> None:
    """From 0.1 to 0.6 in two better rounds: two thirds of what lacks stay after each; to 0.87 it takes three more."""
    found = missing(way("v4", LINE), CONFIG)
    assert found.rounds == 3
    assert found.seconds == 3 * 240 / 2  # the rounds that brought nothing took their time, too
    assert found.said.startswith("0.27 of the teacher's tokens missing; at the pace of the last 2 better rounds at ")


def test_without_a_better_round_nothing_is_promised() -> None:
    assert missing((), CONFIG).rounds is None
    steps = way("v1", [one(1, "v1", "v2", 0.1, 0.09, "rejected")])
    assert "nothing says how long" in missing(steps, CONFIG).said


def test_one_round_is_said_to_say_little() -> None:
    assert "by one round, which says little" in missing(way("v2", LINE[-1:]), CONFIG).said


def test_after_rounds_without_a_gain_it_says_what_would_help_instead_of_a_time() -> None:
    rejected = [one(n, "v2", f"v{n}", 0.4, 0.4, "rejected") for n in (7, 6, 5)]
    found = missing(way("v2", [*rejected, LINE[-1]]), CONFIG)
    assert (found.rounds, found.seconds) == (None, None)
    assert "the last 3 rounds made it no better" in found.said
    assert "budget_seconds" in found.said


def test_prompts_that_lack_are_named() -> None:
    few = GateConfig(fit_rows=200, fit_agreement=0.3)
    found = missing(way("v2", LINE[-1:]), few)
    assert found.said.startswith("80 held-out prompts missing")
    assert found.rounds == 1


def test_no_pace_is_told_of_a_line_that_fell() -> None:
    fell = [one(2, "v2", "v3", 0.2, 0.25), one(1, "v1", "v2", 0.3, 0.35)]
    assert missing(way("v3", fell), CONFIG).rounds is None


def test_where_every_token_is_asked_for_no_pace_leads_there() -> None:
    found = missing(way("v4", LINE[1:]), GateConfig(fit_agreement=1.0))
    assert (found.rounds, found.seconds) == (None, None)
    assert "no pace" in found.said
