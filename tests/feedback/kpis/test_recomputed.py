"""Every figure is what the events say, however late, repeated, reordered and re-targeted they came.

What they must be is reckoned anew from all events at once (`tests/feedback/kpis/model.py`).
"""

from __future__ import annotations

import math
import os
import random
import signal
import time
from collections import Counter, defaultdict
from typing import Any

import pytest
from ddsketch import DDSketch

from ab.analysis.sketch import ACCURACY
from feedback.events import Exchange, Exposure, Kpi
from feedback.kpis.config import KpisConfig
from feedback.kpis.exporting import experiment_rows
from feedback.kpis.figures import added, figures
from feedback.kpis.ratios import CellRatio, adjusted, ratios
from feedback.kpis.store import QUANTILES
from feedback.kpis.trials import judged
from feedback.store.connection import connect
from tests.feedback.applying import APPLIED, KEYS, Applier, effects_of
from tests.feedback.kpis.model import before, rows_of, standing
from tests.feedback.kpis.traffic import COVARIATES, HOUR, Traffic
from tests.waiting import eventually

FULL = os.environ.get("UNDERSTUDY_FULL") == "1"
EVENTS = 50_000 if FULL else 2500
KILLED_EVENTS = 8000 if FULL else 1000
KILLS = 40 if FULL else 6
DAY = 86_400


def expected(rows: dict[str, tuple[float, dict[str, float]]], a: str, b: str) -> tuple[float, float]:
    """The ratio of two cells over users and the half-width of its interval, from the rows themselves."""
    xs = [(row.get(a, 0.0), row.get(b, 0.0)) for _, row in rows.values()]
    above, below = sum(x for x, _ in xs), sum(y for _, y in xs)
    users = sum(y > 0 for _, y in xs)
    ratio = above / below
    spread = sum((x - ratio * y) ** 2 for x, y in xs)
    return ratio, 1.959964 * math.sqrt(spread * users / (users - 1)) / below


def expected_variation(rows: dict[str, tuple[float, dict[str, float]]]) -> tuple[float, float]:
    """Standard deviation of all replies' seconds over their mean, and its interval's half-width by linearisation."""
    xs = [[row.get(cell, 0.0) for cell in ("replies", "latency", "latency2")] for _, row in rows.values()]
    n, s, q = (sum(x[at] for x in xs) for at in range(3))
    users, value = sum(x[0] > 0 for x in xs), math.sqrt(q / n - (s / n) ** 2) / (s / n)
    parts = [(q * a / s**2 - 2 * n * q * b / s**3 + n * c / s**2) / (2 * value) for a, b, c in xs]
    return value, 1.959964 * math.sqrt(sum(part**2 for part in parts) * users / (users - 1))


@pytest.mark.timeout(600)
def test_every_figure_equals_the_one_reckoned_from_all_events(redis_url: str) -> None:
    traffic = Traffic(random.Random(9), time.time())
    events = traffic.make(EVENTS)
    assert 25 < sum(bool(known) for known in before(events).values()) < 115, "some did something before, some nothing"
    applier = Applier(redis_url)
    applier.events(events)
    expect_all(applier, events)


@pytest.mark.timeout(1200)
def test_rows_and_sums_agree_however_often_a_worker_is_killed_at_any_moment(redis_url: str) -> None:
    """Each worker begins with the first event again, as one does that has lost its place; numbers count once."""
    chance = random.Random(11)
    events = Traffic(random.Random(10), time.time()).make(KILLED_EVENTS)
    rows, client = [effects_of(one) for one in events], connect(redis_url)
    for number in sorted(chance.sample(range(1, len(events)), KILLS)):
        worker = os.fork()
        if worker == 0:
            try:
                apply_again(Applier(redis_url), rows, chance.randrange(1, 64))
            finally:
                os._exit(1)
        try:
            eventually(lambda: int(client.hget(APPLIED, "spool") or 0) >= number, 60, "some events applied")  # noqa: B023
        finally:
            os.kill(worker, signal.SIGKILL)
            os.waitpid(worker, 0)
    applier = Applier(redis_url)
    apply_again(applier, rows, 64)
    expect_all(applier, events)


def test_sums_are_those_of_the_rows_though_units_change_their_arm_at_will(redis_url: str) -> None:
    """Whatever the order: a unit is in one arm of a phase, and its row says what the sums hold of it."""
    events = Traffic(random.Random(12), time.time(), keeps=False).make(EVENTS)
    applier = Applier(redis_url)
    applier.events(events, batch=50)
    known = {name: ratio for name, ratio in ratios(applier.config).items() if ratio.binary or ratio.below is None}
    asked = [covariate for _, covariate in COVARIATES]
    rows = list(experiment_rows(applier.client, KEYS, None, "exp", known, lambda _, unit: unit, asked))
    assert len(rows) == len({(row["unit"], row["phase"]) for row in rows})
    met: dict[tuple[str, int], set[str]] = defaultdict(set)
    for group, units in rows_of(events).items():
        if group.startswith("experiment:exp:"):
            _, _, arm, number = group.split(":")
            for unit in units:
                met[unit, int(number)].add(arm)
    divided = Counter(number for (_, number), of in met.items() if len(of) > 1)
    assert applier.kpis.two_arms("exp") == divided
    assert divided.total() > 30
    arms = applier.kpis.arms("exp")
    wanted: dict[tuple[int, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in rows:
        of = wanted[row["phase"], row["arm"]]
        of["users"] += 1
        for cell, name in (
                ("requests", "requests"), ("first_response_correct.s", "first_response_correct.yes"),
                ("sessions", "takeover.of"),
            ):  # fmt: skip
            of[cell] += row.get(name, 0.0)
        of["requests~requests_before"] += row.get("requests_before", 0.0)
        of["requests~requests_before#"] += "requests_before" in row
    for (phase, arm), sums in wanted.items():
        held = added(arms[phase][arm].values())
        assert {cell: held.get(cell, 0.0) for cell in sums} == pytest.approx(sums)
    assert sum(of["requests~requests_before#"] for of in wanted.values()) > 50


def apply_again(applier: Applier, rows: list[list[list[Any]]], batch: int) -> None:
    """Apply effects of events of which some may be known."""
    for at in range(0, len(rows), batch):
        _, faulty, why = applier.commands(rows[at : at + batch])
        assert (faulty, why) == (0, "")


def expect_all(applier: Applier, events: list[Exchange | Exposure | Kpi]) -> None:
    """Everything that is counted is what the events say."""
    rows = rows_of(events)
    kinds = ("arm", "version", "experiment", "line")
    found = {f"{k}:{g}": parts for k in kinds for g, parts in applier.kpis.cohorts(k).items()}  # type: ignore[arg-type]
    assert set(found) == set(rows)
    known = before(events)
    for group, units in rows.items():
        kind, experiment, *_ = group.split(":")
        former = {unit: known.get((experiment, unit), {}) if kind == "experiment" else {} for unit in units}
        expect_cohorts(found[group], units, former, DAY if kind == "line" else HOUR)
    check_exposures(applier, rows)
    check_figures(applier, rows)
    check_values(applier, events)
    check_times(applier, events)


def expect_cohorts(
    found: dict[int, dict[str, float]],
    units: dict[str, tuple[float, dict[str, float]]],
    former: dict[str, dict[str, float]],
    span: int,
) -> None:
    """Users, sums, products and counts by hour of first exposure, of lines of business by day."""
    hours: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for unit, (first, row) in units.items():
        cohort = hours[int(first // span) * span // HOUR]
        cohort["users"] += 1
        for a, x in row.items():
            cohort[a] += x
            cohort[f"{a}#"] += x > 0
            for b, y in row.items():
                if a <= b:
                    cohort[f"{a}*{b}"] += x * y
        for ratio in judged(KpisConfig()).values():
            if ratio.binary and ratio.below:
                cohort[ratio.missed] += row.get(ratio.above, 0.0) < row.get(ratio.below, 0.0)
        for kpi, covariate in COVARIATES:
            regress(cohort, ratios(KpisConfig())[kpi], adjusted(kpi, covariate), row, former[unit].get(covariate))
    alive = {hour: sums for hour, sums in found.items() if sums["users"]}
    assert set(alive) == set(hours)
    for hour, sums in found.items():
        wanted = hours.get(hour, {})
        assert sums == pytest.approx({name: wanted.get(name, 0.0) for name in sums}, rel=1e-9, abs=1e-6)
        assert set(sums) >= {name for name, value in wanted.items() if value and "*" not in name}


def regress(cohort: dict[str, float], ratio: CellRatio, name: str, row: dict[str, float], x: float | None) -> None:
    """Add what regression needs of one unit, where it has both the KPI and the covariate."""
    y, n = row.get(ratio.above, 0.0), row.get(ratio.below, 0.0) if ratio.below else 1.0
    if x is not None and n > 0:
        for field, value in (("", x), ("#", 1.0), ("^2", x * x), ("#*above", y), ("#*below", n), ("*above", x * y),
                             ("*below", x * n)):  # fmt: skip
            cohort[name + field] += value


def check_exposures(applier: Applier, rows: dict[str, dict[str, tuple[float, dict[str, float]]]]) -> None:
    """Units by arm over all phases, each once, and those of each phase that another phase had, too."""
    for experiment in ("exp", "aa"):
        units: dict[str, set[str]] = defaultdict(set)
        phases: dict[str, set[str]] = defaultdict(set)
        for group, found in rows.items():
            if group.startswith(f"experiment:{experiment}:"):
                _, _, arm, phase = group.split(":")
                units[arm] |= found.keys()
                phases[phase] |= found.keys()
        counted = applier.kpis.exposures(experiment)
        assert {arm: one["units"] for arm, one in counted.items()} == {arm: len(of) for arm, of in units.items()}
        several = sum(map(len, phases.values())) - len(set().union(*phases.values()))
        assert sum(applier.kpis.returning(experiment).values()) == several


def check_figures(applier: Applier, rows: dict[str, dict[str, tuple[float, dict[str, float]]]]) -> None:
    wanted = figures(applier.config)
    for version, made in applier.kpis.figures("version", wanted).items():
        units = rows[f"version:{version}"]
        assert set(made) >= {"click_through_rate", "session_turns", "latency_volatility", "rating"}
        for name, one in made.items():
            if name == "latency_volatility":
                ratio, half = expected_variation(units)
            else:
                ratio, half = expected(units, *wanted[name].cells)
            assert one.value == pytest.approx(ratio)
            assert one.lower is not None
            assert one.upper is not None
            assert one.upper - one.value == pytest.approx(half, rel=1e-6)


def check_values(applier: Applier, events: list[Exchange | Exposure | Kpi]) -> None:
    """The sums of single values, which the canary reads."""
    by_response = {one.response_id: one for one in events if isinstance(one, Exchange)}
    exposed: dict[str, Exchange] = {}
    for one in sorted(by_response.values(), key=lambda one: one.at):
        exposed.setdefault(f"session:{one.session}", one)
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    for (target, kpi), value in standing(events).items():
        values[(by_response | exposed)[target].version, kpi].append(value)
    found = applier.kpis.by("version")
    for (version, kpi), all_of in values.items():
        assert found[version][kpi]["n"] == len(all_of)
        assert found[version][kpi]["mean"] == pytest.approx(sum(all_of) / len(all_of))
    assert sum(rows["requests"]["n"] for rows in found.values()) == len(by_response)


def check_times(applier: Applier, events: list[Exchange | Exposure | Kpi]) -> None:
    """Quantiles are those of one sketch of all replies, each once; users' groups of 128 add up to it."""
    replies: dict[str, list[float]] = defaultdict(list)
    for one in {one.id: one for one in events if isinstance(one, Exchange)}.values():
        for group in (f"arm:{one.arm}", f"version:{one.version}") if one.status == 200 else ():
            replies[group].append(one.seconds)
    for group, seconds in replies.items():
        kind, _, name = group.partition(":")
        whole = DDSketch(ACCURACY)
        for value in seconds:
            whole.add(value)
        found = applier.kpis.quantiles(kind, name)["latency"]  # type: ignore[arg-type]
        for label, q in QUANTILES.items():
            assert found[label].value == pytest.approx(whole.get_quantile_value(q))
        counts = applier.client.hgetall(f"{KEYS.sketches}{group}")
        assert sum(int(n) for field, n in counts.items() if field.startswith(b"latency:")) == len(seconds)
