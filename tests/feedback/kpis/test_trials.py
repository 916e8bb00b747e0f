"""A canary's figures by user: what the workers count of each side, and the arms that are judged."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from ab.sequential.effects import Side, UnitFigure
from feedback.events import Exchange, Verdict
from feedback.kpis.config import KpisConfig
from feedback.kpis.effects import verdict_effects
from feedback.kpis.names import NEW, OLD, trial
from feedback.kpis.trials import arms, judged, live_cells
from tests.feedback.applying import KEYS, Applier, feedback
from tests.feedback.factory import exchange

NOW = time.time()
WANTED = judged(KpisConfig())


def on(side: str, n: int, step: int = 0, **given: Any) -> Exchange:
    """A reply of the student to a unit of one side."""
    version = "v2" if side == NEW else "v1"
    placed = {
        "arm": "student",
        "assigned": "student",
        "version": version,
        "rollout": trial("v2", step, new=side == NEW),
    }
    return exchange(n, **{**placed, "at": NOW - 3000 + n, "slow_after": 1.0, **given})


def pair(side: str, n: int, unit: str, **said: Any) -> Verdict:
    return Verdict(
        id=f"v{n}", session="s", at=NOW, exchange=f"e{n}", teacher="t1", student="v2", unit=unit,
        rollout=trial("v2", 0, new=side == NEW, copies=True),
        **{"similarity": 0.5, "exact": True, "facts": True, **said},
    )  # fmt: skip


def test_an_exchange_says_whether_it_failed_was_slow_or_came_from_elsewhere() -> None:
    assert live_cells(on(NEW, 1, seconds=0.5)) == {"errors": 0, "degraded": 0, "timed": 1, "slow": 0}
    assert live_cells(on(NEW, 1, seconds=1.5))["slow"] == 1
    assert live_cells(on(NEW, 1, status=503)) == {"errors": 1, "degraded": 0}
    assert live_cells(on(OLD, 1, fell_back=True))["degraded"] == 1
    assert "timed" not in live_cells(on(NEW, 1, slow_after=None))
    assert live_cells(exchange(1)) == {}


def test_each_side_is_what_its_users_did_step_by_step_in_whatever_order_it_came(redis_url: str) -> None:
    """The arms that are judged are those reckoned from all events of a user at once."""
    chance, applier = random.Random(4), Applier(redis_url)
    events: list[Any] = []
    cells: dict[tuple[int, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0] * 5))
    for n in range(400):
        unit = chance.randrange(60)
        side, step = (NEW if unit % 3 == 0 else OLD), chance.randrange(2)
        failed, seconds, said = chance.random() < 0.2, chance.choice((0.4, 2.0)), chance.random() < 0.5
        one = on(side, n, step, unit=f"u{unit}", status=503 if failed else 200, seconds=seconds, response_id=f"r{n}")
        events += [one, feedback(n, float(said), f"r{n}", kpi="first_response_correct", at=NOW, id=f"f{n}")]
        row = cells[step, side][f"u{unit}"]
        row[0] += 1
        row[1] += failed
        row[2] += not failed
        row[3] += (not failed) and seconds > 1
        row[4] += said
    chance.shuffle(events)
    applier.events(events)
    found = applier.kpis.trial("v2")
    assert applier.kpis.trial("v1") == {}
    made = arms(found, WANTED, ("error_rate", "latency_p99", "first_response_correct", "exact"))
    places = {"error_rate": (1, 0), "latency_p99": (3, 2), "first_response_correct": (4, 0)}
    for step in (0, 1):
        for which, side in enumerate((OLD, NEW)):
            for kpi, (above, below) in places.items():
                rows = cells[step, side].values()
                wanted = Side.of(UnitFigure(row[above], row[below], binary=True) for row in rows)
                same(made[kpi][step][which], wanted)
            assert made["exact"][step][which].n == 0


def same(found: Side, wanted: Side) -> None:
    assert (found.n, found.with_outcome, found.without) == (wanted.n, wanted.with_outcome, wanted.without)
    assert np.allclose(found.moments.mean, wanted.moments.mean)
    assert np.allclose(found.moments.products, wanted.moments.products)
    assert found.binary == wanted.binary


def test_pairs_count_for_the_canary_once_and_for_no_arm_s_users(redis_url: str) -> None:
    applier = Applier(redis_url)
    verdicts = [
        pair(NEW, 1, "u1", exact=False),
        pair(NEW, 2, "u1"),
        pair(NEW, 3, "u2", failed=("logic",)),
        pair(OLD, 4, "u1"),
    ]
    assert applier.commands([verdict_effects(KEYS, one) for one in verdicts])[1:] == (0, "")
    ((exact_old, exact_new),) = arms(applier.kpis.trial("v2"), WANTED, ("exact",))["exact"]
    same(exact_new, Side.of([UnitFigure(1, 2, binary=True), UnitFigure(1, 1, binary=True)]))
    assert (exact_old.n, exact_old.ratio) == (1, 1.0)
    ((_, failed),) = arms(applier.kpis.trial("v2"), WANTED, ("failed_checks",))["failed_checks"]
    assert failed.ratio == pytest.approx(1 / 3)
    assert applier.kpis.cohorts("arm") == applier.kpis.cohorts("version") == {}


def test_a_kpi_that_applications_send_counts_for_the_step_in_which_its_reply_was_given(redis_url: str) -> None:
    """However late it comes: the reply of step 0 is taken over by a person while step 1 is under way."""
    applier = Applier(redis_url)
    applier.events([on(NEW, 1, step=0, session="a", unit="u1"), on(NEW, 2, step=1, session="b", unit="u1")])
    applier.events([feedback(1, 1.0, "session:a", kpi="takeover", at=NOW)])
    steps = arms(applier.kpis.trial("v2"), WANTED, ("takeover",))["takeover"]
    assert [new.ratio for _, new in steps] == [1.0, 0.0]


def test_every_kpi_that_feedback_may_bring_can_be_judged() -> None:
    known = judged(KpisConfig(declared=("smile",)))
    assert {"click", "takeover", "human_review_pass", "first_response_correct", "rating", "smile"} <= set(known)
    assert (known["smile"].above, known["smile"].below, known["smile"].binary) == ("smile.s", "smile.n", False)
