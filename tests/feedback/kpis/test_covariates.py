"""What units did before they came to an experiment: kept once, and what regression needs of it summed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ab.sequential.bounds import fixed
from ab.sequential.effects import Effect, effect
from feedback.events import Exchange, Exposure, Kpi, PhaseArm
from feedback.kpis.config import KpisConfig
from feedback.kpis.figures import added
from feedback.kpis.forgetting import forget_tenant
from feedback.kpis.ratios import adjusted, ratios, side
from feedback.rows.files import RowFiles
from feedback.rows.packed import former
from feedback.rows.spilling import RowBounds, Spill
from tests.feedback.applying import KEYS, Applier, feedback
from tests.feedback.factory import exchange
from understudy.ids import short_hash

HOUR = 3600.0
NOW = time.time()
ASKED = (("rating", "rating_before"), ("requests", "requests_before"))
Event = Exchange | Exposure | Kpi


def part(phase: int = 1, arm: str = "student", experiment: str = "e", asked: Any = ASKED) -> tuple[PhaseArm, ...]:
    return (PhaseArm(experiment=experiment, phase=phase, arm=arm, covariates=asked),)


def rated(n: int, unit: str, value: float, hours: float, **more: Any) -> list[Event]:
    """A request so many hours ago, and what was said of it half an hour later."""
    at = NOW - HOUR * hours
    said = feedback(n, value, f"resp-{n}", at=at + HOUR / 2)
    return [exchange(n, unit=unit, session=f"s{n}", at=at, **more), said]


def kept(applier: Applier, unit: str, experiment: str = "e") -> dict[str, float]:
    """Of a unit's row."""
    return former(applier.client.hget(f"{KEYS.rows}default", short_hash(unit)), experiment)


def of_arm(applier: Applier, phase: int = 1, arm: str = "student") -> dict[str, float]:
    return added(applier.kpis.arms("e")[phase][arm].values())


def test_what_a_unit_did_before_its_first_exposure_stands_whatever_comes_later_and_in_every_phase(
    redis_url: str,
) -> None:
    applier = Applier(redis_url)
    first = [*rated(1, "ada", 2.0, 9), *rated(2, "ada", 4.0, 8, arm="student")]
    met = rated(3, "ada", 5.0, 5, experiments=part())
    applier.events([*first, *met, *met, met[0]])
    assert kept(applier, "ada") == {"rating_before": 3.0, "requests_before": 2.0}
    later = [*rated(4, "ada", 1.0, 7), *rated(5, "ada", 1.0, 2), *rated(6, "ada", 3.0, 1, experiments=part(2))]
    applier.events([*later, feedback(7, 5.0, "resp-1", at=NOW), *met])
    assert kept(applier, "ada") == {"rating_before": 3.0, "requests_before": 2.0}
    for phase, said in ((1, 5.0), (2, 3.0)):
        sums, name = of_arm(applier, phase), adjusted("rating", "rating_before")
        of = {field: sums[name + field] for field in ("", "#", "^2", "*above", "*below", "#*above", "#*below")}
        assert of == {
            "": 3.0, "#": 1.0, "^2": 9.0, "*above": 3 * said, "*below": 3.0, "#*above": said, "#*below": 1.0,
        }  # fmt: skip
    arm = added(applier.kpis.cohorts("arm")["student"].values())
    assert not any("~" in name for name in arm), "outside experiments nothing is adjusted"


def test_an_exposure_alone_keeps_it_and_its_replies_do_not_keep_it_again(redis_url: str) -> None:
    applier = Applier(redis_url)
    met = Exposure(
        id="x", session="s", at=NOW - 4 * HOUR, unit="ada", experiment="e", phase=1, arm="student", bucket=0.5, epoch=1,
        covariates=ASKED,
    )  # fmt: skip
    applier.events(
        [*rated(1, "ada", 2.0, 9), met, *rated(2, "ada", 9.0, 3), *rated(3, "ada", 9.0, 2, experiments=part())]
    )
    assert kept(applier, "ada") == {"rating_before": 2.0, "requests_before": 1.0}


def test_of_a_unit_that_is_new_or_was_heard_of_too_early_there_is_none(redis_url: str) -> None:
    """Bob is new. Eve did something after her exposure that is heard of before it, and Ann at the very moment; Dan was
    judged after his."""
    applier = Applier(redis_url)
    applier.events(rated(1, "bob", 5.0, 5, experiments=part()))
    applier.events([*rated(2, "eve", 2.0, 9), *rated(3, "eve", 2.0, 1), *rated(4, "eve", 5.0, 5, experiments=part())])
    applier.events([*rated(5, "dan", 2.0, 5.2), *rated(6, "dan", 5.0, 5, experiments=part())])
    applier.events(
        [exchange(9, unit="ann", session="s9", at=NOW - HOUR), *rated(10, "ann", 5.0, 1, experiments=part())]
    )
    assert [kept(applier, unit) for unit in ("bob", "eve", "dan", "ann")] == [{}, {}, {}, {}]
    applier.events(rated(7, "bob", 4.0, 4))
    applier.events(rated(8, "bob", 4.0, 3, experiments=part()))
    assert kept(applier, "bob") == {}, "what it did between two requests of the experiment is no time before"
    sums = of_arm(applier)
    assert (sums["users"], sums["rating.n"]) == (4, 5)
    assert not any("~" in name for name in sums)


def test_of_what_was_never_judged_before_the_requests_alone_are_known(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.events(
        [exchange(1, unit="ada", session="s", at=NOW - 9 * HOUR), *rated(2, "ada", 5.0, 5, experiments=part())]
    )
    assert kept(applier, "ada") == {"requests_before": 1.0}
    name = adjusted("rating", "rating_before")
    assert of_arm(applier).get(name + "#", 0) == 0


def test_each_experiment_has_its_own_and_one_that_asks_later_has_none_of_units_it_knows(redis_url: str) -> None:
    applier = Applier(redis_url)
    applier.events([
        *rated(1, "ada", 2.0, 9), *rated(2, "ada", 4.0, 7, experiments=part(asked=())),
        *rated(3, "ada", 4.0, 5, experiments=(*part(), *part(experiment="f"))),
    ])  # fmt: skip
    assert kept(applier, "ada") == {}
    assert kept(applier, "ada", "f") == {"rating_before": 3.0, "requests_before": 2.0}


def test_of_a_row_of_an_older_release_all_counts_that_had_come_before_the_exposure(redis_url: str) -> None:
    """Such a row says the minute of its last change alone."""
    applier = Applier(redis_url)
    for unit, minutes, expected in (("ada", 60, {"requests_before": 1.0}), ("bob", 0, {})):
        applier.events([exchange(1, unit=unit, session=f"s-{unit}", at=NOW - 9 * HOUR, response_id=unit)])
        strip = (
            "local row = cmsgpack.unpack(redis.call('HGET', KEYS[1], KEYS[2])) "
            "redis.call('HSET', KEYS[1], KEYS[2], cmsgpack.pack(row, tonumber(ARGV[1])))"
        )
        applier.client.eval(strip, 2, f"{KEYS.rows}default", short_hash(unit), int(NOW // 60) - minutes)
        applier.events(rated(2, unit, 5.0, 0.5, experiments=part(), response_id=f"resp-{unit}"))
        assert kept(applier, unit) == expected


def test_a_unit_whose_former_places_were_folded_is_no_new_one(redis_url: str) -> None:
    """And of the experiments that a unit comes to no more are kept than of places."""
    applier = Applier(redis_url, KpisConfig(row_places=3))
    applier.events(rated(1, "ada", 2.0, 40, experiments=part(asked=())))
    for n in range(2, 6):
        applier.events(rated(n, "ada", 4.0, 40 - n, experiments=part(experiment=f"e{n}")))
    assert applier.kpis.counters()["kpi_rows_folded"] >= 2
    applier.events(rated(6, "ada", 5.0, 1, experiments=part()))
    assert kept(applier, "ada") == {}
    assert [bool(kept(applier, "ada", f"e{n}")) for n in range(2, 6)] == [True, True, False, False]


def test_it_is_spilled_read_back_and_purged_with_its_row(redis_url: str, tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    files = RowFiles(tmp_path)
    applier = Applier(redis_url, files=files)
    applier.events(rated(1, "ada", 2.0, 9))
    spill = Spill(applier.client, KEYS, files, RowBounds(tenant=1, whole=1, disk=1 << 30))
    assert spill.step() == 1
    applier.events(rated(2, "ada", 5.0, 5, experiments=part()))
    assert kept(applier, "ada") == {"rating_before": 2.0, "requests_before": 1.0}, "of what lay in a file"
    assert spill.step() == 1
    applier.events(rated(3, "ada", 3.0, 4, experiments=part(2)))
    assert of_arm(applier, 2)[adjusted("rating", "rating_before")] == 2.0
    forget_tenant(applier.client, KEYS, "default")
    files.forget("default")
    applier.events(rated(4, "ada", 3.0, 3, experiments=part()))
    assert kept(applier, "ada") == {}


SESSIONS = [2, 1, 4, 3, 2, 5, 1, 2, 3, 1, 2, 6, 2, 1, 3, 4, 1, 2, 5, 2, 1, 3, 2, 4]
ORDERS = [1, 0, 2, 1, 0, 4, 1, 1, 2, 0, 0, 3, 1, 1, 2, 3, 1, 1, 4, 0, 1, 2, 2, 4]
BEFORE = [1, 0, 1, 1, 1, 3, 0, 1, 2, 0, 0, 3, 1, 0, 1, 2, 1, 0, 3, 0, 1, 1, 2, 2]
"""As in `tests/ab/sequential/test_effects.py`."""


def judged(applier: Applier, kpi: str = "orders") -> Effect:
    ratio = ratios(applier.config)[kpi]
    name = adjusted(kpi, "orders_before")
    old, new = (side(of_arm(applier, 1, arm), ratio, name) for arm in ("teacher", "student"))
    return effect(old, new)


def orders(before: Callable[[int], float | None]) -> list[Event]:
    """Of 24 users what each ordered before, where it is known, and in the experiment."""
    events: list[Event] = []
    for n, (now, arm) in enumerate(zip(ORDERS, ["teacher"] * 12 + ["student"] * 12, strict=True)):
        past = before(n)
        for at, value, more in ((n, past, {}), (n + 100, now, {"experiments": part(1, arm, asked=ORDERED)})):
            if value is not None:
                when = NOW - (9.0 if at < 100 else 5.0) * HOUR
                events.append(exchange(at, unit=f"u{n}", session=f"s{at}", at=when, **more))
                events.append(feedback(at, float(value), f"resp-{at}", kpi="orders", at=when + 60))
    return events


ORDERED = (("orders", "orders_before"),)


def test_the_effect_is_tea_tasting_s_cuped(redis_url: str) -> None:
    """tea-tasting 1.14.0, `Mean("orders", covariate="before", use_t=False, equal_var=False)` on these columns; to 1 in
    1,000, see `tests/ab/sequential/test_effects.py`."""
    applier = Applier(redis_url, KpisConfig(declared=("orders",)))
    applier.events(orders(lambda n: BEFORE[n]))
    found = judged(applier)
    once = fixed(found.value, found.error, 0.05)
    expected = (0.4898710865561691, 0.0055781980141255, 0.9741639750982127, 0.0474189128099734)
    assert (found.value, once.lower, once.upper, once.p) == pytest.approx(expected, abs=1e-3)
    assert (found.covered, found.n) == (24, 24)
    assert found.reduced == pytest.approx(1 - ((0.9741639750982127 - 0.0055781980141255)
                                               / (1.6057057821332468 + 0.4390391154665803)) ** 2, abs=1e-3)  # fmt: skip


def test_two_workers_sums_add_to_those_of_one(redis_url: str) -> None:
    """Of users of whom some have no past; each worker has half of the users."""

    def past(n: int) -> float | None:
        return BEFORE[n] if n % 3 else None

    config = KpisConfig(declared=("orders",))
    one, two = Applier(redis_url, config, spool="one"), Applier(redis_url, config, spool="two")
    events = orders(past)
    halves = [[e for e in events if int((e.target if isinstance(e, Kpi) else e.response_id).split("-")[1]) % 2 == half]
              for half in (0, 1)]  # fmt: skip
    one.events(halves[0])
    two.client.hdel(KEYS.cursors, "t:0")
    two.events(halves[1])
    found = judged(one)
    assert (found.n, found.covered) == (24, 16)
    assert found.error < found.plain
