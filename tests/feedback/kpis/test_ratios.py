"""An arm's users as an experiment judges them, from running sums: those that the users' own rows give."""

from __future__ import annotations

import random
import time

import pytest

from ab.sequential.effects import Side, UnitFigure
from feedback.events import Exchange, Kpi
from feedback.kpis.config import KpisConfig
from feedback.kpis.figures import added
from feedback.kpis.ratios import products, ratios, side
from tests.feedback.applying import Applier, feedback
from tests.feedback.factory import exchange

USERS = 60


def test_sides_from_sums_are_those_of_the_users_rows(redis_url: str) -> None:
    chance, now = random.Random(4), time.time()
    events: list[Exchange | Kpi] = []
    right: dict[str, list[float]] = {}
    abnormal: dict[str, list[float]] = {}
    for n in range(240):
        unit, bad, said = f"u{chance.randrange(USERS)}", chance.random() < 0.2, float(chance.random() < 0.7)
        more = {"experiment": "e", "assigned": "student", "status": 503 if bad else 200}
        events.append(exchange(n, unit=unit, session=f"s{n}", at=now - n, **more))
        abnormal.setdefault(unit, []).append(float(bad))
        if chance.random() < 0.5:
            events.append(feedback(n, said, f"resp-{n}", kpi="first_response_correct", at=now))
            right.setdefault(unit, []).append(said)
    applier = Applier(redis_url)
    applier.events(events)
    sums = added(applier.kpis.cohorts("experiment")["e:student:0"].values())
    of = ratios(KpisConfig())
    for kpi, values in (("first_response_correct", right), ("abnormal_termination", abnormal)):
        wanted = Side.of(UnitFigure(sum(one), len(one), binary=True) for one in values.values())
        same(side(sums, of[kpi]), wanted)
    same(side(sums, of["requests"]), Side.of(UnitFigure(len(one), 1.0) for one in abnormal.values()))
    assert side(sums, of["takeover"]).ratio == 0.0, "sessions without a takeover count as such"


def same(found: Side, wanted: Side) -> None:
    assert (found.n, found.binary) == (wanted.n, wanted.binary)
    assert found.ratio == pytest.approx(wanted.ratio)
    assert found.variance == pytest.approx(wanted.variance)
    if wanted.binary:
        assert (found.with_outcome, found.without) == (wanted.with_outcome, wanted.without)


def test_nobody_with_a_part_in_it_is_no_side() -> None:
    assert side({"users": 9.0, "requests": 12.0}, ratios(KpisConfig())["rating"]).n == 0


def test_only_what_is_known_to_be_yes_or_no_is_judged_on_forty_units() -> None:
    of = ratios(KpisConfig(declared=("smile",)))
    assert {name for name, one in of.items() if not one.binary} == {
        "requests", "session_turns", "latency", "rating", "smile",
    }  # fmt: skip


def test_the_products_of_a_ratio_are_those_of_its_cells() -> None:
    of = ratios(KpisConfig())
    assert products([of["requests"]]) == {("requests", "requests")}
    assert products([of["takeover"]]) == {
        ("sessions", "sessions"), ("sessions", "takeover.s"), ("takeover.s", "takeover.s"),
    }  # fmt: skip
