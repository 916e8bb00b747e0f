"""A page of metrics: what names may be, what a part that is away costs, how many series there may be."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tests.shared_data import need_program
from understudy import __version__
from understudy.telemetry.metrics import MOST_SERIES, Histogram, Metric, MetricsPage

COUNT = Metric("understudy_things_total", "counter", "Things.", ("kind",))
LEVEL = Metric("understudy_level_bytes", "gauge", "How much.")
TIMES = Metric("understudy_times_seconds", "histogram", "How long.", ("of",), (0.1, 1.0))


def samples(page: MetricsPage) -> dict[tuple[str, ...], float]:
    found = (one for family in text_string_to_metric_families(page.render()) for one in family.samples)
    return {(one.name, *(value for _, value in sorted(one.labels.items()))): one.value for one in found}


def test_a_page_shows_what_is_counted_now_with_help_build_and_process() -> None:
    page, counts = MetricsPage("worker"), {"a": 1}
    page.add(COUNT, counts.items)
    page.value(LEVEL, lambda: 2.5)
    assert samples(page)["understudy_things_total", "a"] == 1
    counts["a"] = 4
    counts['b"\n\\'] = 1
    found = samples(page)
    assert found["understudy_things_total", "a"] == 4
    assert found["understudy_things_total", 'b"\n\\'] == 1
    assert found["understudy_level_bytes",] == 2.5
    assert found["understudy_build_info", "worker", __version__] == 1
    assert found["process_resident_memory_bytes",] > 0
    assert "# HELP understudy_things_total Things.\n# TYPE understudy_things_total counter\n" in page.render()


@given(st.lists(st.floats(0, 5)))
def test_a_histogram_counts_every_value_in_the_first_bucket_that_holds_it(values: list[float]) -> None:
    page, times = MetricsPage("worker"), Histogram(TIMES.edges)
    page.add(TIMES, lambda: [("x", times)])
    for value in values:
        times.observe(value)
    found = samples(page)
    for edge in ("0.1", "1.0"):
        below = sum(value <= float(edge) for value in values)
        assert found["understudy_times_seconds_bucket", edge, "x"] == below
    assert found["understudy_times_seconds_bucket", "+Inf", "x"] == times.count == len(values)
    assert math.isclose(found["understudy_times_seconds_sum", "x"], sum(values), abs_tol=1e-9)


def test_a_part_that_is_away_costs_its_own_metrics_alone() -> None:
    page = MetricsPage("worker")

    def away() -> Iterable[Any]:
        raise OSError("Redis is away")

    page.add(COUNT, away)
    page.value(LEVEL, lambda: 1.0)
    found = samples(page)
    assert found["understudy_level_bytes",] == 1
    assert found["understudy_unread_metrics",] == 1
    assert ("understudy_things_total", "a") not in found


def test_a_look_that_fails_leaves_the_page_standing() -> None:
    page, told = MetricsPage("worker"), {"level": 1.0}

    def look() -> None:
        told.clear()
        raise OSError("away")

    page.before(look)
    page.value(LEVEL, lambda: told["level"])
    assert samples(page)["understudy_unread_metrics",] == 1


def test_series_without_end_are_cut_and_told() -> None:
    page = MetricsPage("worker")
    page.add(COUNT, lambda: ((str(number), 1.0) for number in range(10**9)))
    found = samples(page)
    assert sum(name == "understudy_things_total" for name, *_ in found) == MOST_SERIES
    assert found["understudy_unread_metrics",] == 1


def test_a_name_is_shown_once() -> None:
    page = MetricsPage("worker")
    page.value(LEVEL, lambda: 1.0)
    with pytest.raises(ValueError, match="already"):
        page.value(LEVEL, lambda: 2.0)


@pytest.mark.parametrize(
    ("name", "kind", "said", "edges"),
    [
        ("understudy_things", "counter", "Things.", ()),
        ("understudy_things_total", "gauge", "Things.", ()),
        ("things_total", "counter", "Things.", ()),
        ("understudy_Things_total", "counter", "Things.", ()),
        ("understudy_times_seconds", "histogram", "Times.", ()),
        ("understudy_times_seconds", "gauge", "Times.", (1.0,)),
        ("understudy_things_total", "counter", "", ()),
    ],
)
def test_a_name_that_breaks_a_rule_is_refused(name: str, kind: Any, said: str, edges: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=name):
        Metric(name, kind, said, (), edges)


def test_promtool_finds_nothing_to_say() -> None:
    need_program("promtool")
    page, times = MetricsPage("worker"), Histogram(TIMES.edges)
    page.add(COUNT, {"a": 1}.items)
    page.value(LEVEL, lambda: 2.5)
    page.add(TIMES, lambda: [("x", times)])
    done = subprocess.run(["promtool", "check", "metrics"], input=page.render(), capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
