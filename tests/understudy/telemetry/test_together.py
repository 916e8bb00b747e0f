"""One page for several processes: what is counted adds up and never falls."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from understudy.telemetry.board import Board
from understudy.telemetry.metrics import Histogram, Metric, MetricsPage
from understudy.telemetry.together import JoinedPage, bury

DONE = Metric("understudy_done_total", "counter", "What is done.", ("kind",))
LENGTH = Metric("understudy_length_seconds", "histogram", "How long it took.", (), (1.0, 2.0))
HELD = Metric("understudy_held", "gauge", "What is held.", across="sum")
EPOCH = Metric("understudy_epoch", "gauge", "What is known.", across="min")
OLDEST = Metric("understudy_oldest", "gauge", "How old it is.")


class Worker:
    """A process's page, with plain numbers behind it."""

    def __init__(self, board: Board, place: int) -> None:
        self.done: Counter[str] = Counter()
        self.length = Histogram(LENGTH.edges)
        self.held, self.epoch, self.oldest = 0.0, 1.0, 0.0
        page = MetricsPage("test")
        page.add(DONE, self.done.items)
        page.add(LENGTH, lambda: [((), self.length)])
        page.value(HELD, lambda: self.held)
        page.value(EPOCH, lambda: self.epoch)
        page.value(OLDEST, lambda: self.oldest)
        self.joined = JoinedPage(page, board, place)

    def shown(self) -> dict[str, float]:
        families = text_string_to_metric_families(self.joined.render())
        return {
            "/".join([one.name, *one.labels.values()]): one.value
            for family in families
            for one in family.samples
            if one.name.startswith("understudy")
        }


def test_counters_and_histograms_add_up_and_of_a_gauge_its_metric_says_what_the_whole_is() -> None:
    board = Board(2)
    one, two = Worker(board, 0), Worker(board, 1)
    one.done.update(a=1, b=2)
    two.done.update(b=5, c=7)
    one.length.observe(0.5)
    two.length.observe(1.5)
    two.length.observe(9.0)
    one.held, one.epoch, one.oldest = 2.0, 7.0, 3.0
    two.held, two.epoch, two.oldest = 5.0, 6.0, 1.0
    two.joined.tell()
    shown = one.shown()
    assert {kind: shown[f"understudy_done_total/{kind}"] for kind in "abc"} == {"a": 1, "b": 7, "c": 7}
    assert [shown[f"understudy_length_seconds_bucket/{edge}"] for edge in ("1.0", "2.0", "+Inf")] == [1, 2, 3]
    assert (shown["understudy_length_seconds_sum"], shown["understudy_length_seconds_count"]) == (11.0, 3)
    assert (shown["understudy_held"], shown["understudy_epoch"], shown["understudy_oldest"]) == (7.0, 6.0, 3.0)
    assert two.shown() == shown


def test_what_a_process_counted_is_where_its_successor_goes_on_and_its_gauges_are_gone() -> None:
    board = Board(2)
    one, two = Worker(board, 0), Worker(board, 1)
    two.done["a"], two.held, two.epoch = 3, 4.0, 0.0
    two.length.observe(0.5)
    two.joined.tell()
    assert one.shown()["understudy_held"] == 4.0
    bury(board, 1)
    after = one.shown()
    assert (after["understudy_done_total/a"], after["understudy_held"], after["understudy_epoch"]) == (3, 0.0, 1.0)
    again = Worker(board, 1)
    again.done["a"] += 2
    again.length.observe(0.7)
    again.joined.tell()
    assert one.shown()["understudy_done_total/a"] == 5
    assert one.shown()["understudy_length_seconds_count"] == 2


def test_a_page_too_large_for_its_place_leaves_the_one_before_and_is_said_once(caplog: Any) -> None:
    board = Board(2, 4096)
    one, two = Worker(board, 0), Worker(board, 1)
    two.done["a"] = 1
    two.joined.tell()
    two.done.update({f"{number:0200}": 1 for number in range(50)})
    two.joined.tell()
    two.joined.tell()
    assert one.shown()["understudy_done_total/a"] == 1
    assert [record.levelname for record in caplog.records if record.name.startswith("understudy")] == ["ERROR"]


@given(st.lists(st.tuples(st.sampled_from(["count", "tell", "ask", "kill"]), st.integers(0, 2)), max_size=30))
def test_nothing_that_was_shown_ever_falls(acts: list[tuple[str, int]]) -> None:
    board = Board(3)
    workers = [Worker(board, place) for place in range(3)]
    shown = counted = 0.0
    for act, place in acts:
        if act == "count":
            workers[place].done["a"] += 1
            counted += 1
        elif act == "tell":
            workers[place].joined.tell()
        elif act == "ask":
            now = workers[place].shown().get("understudy_done_total/a", 0.0)
            assert shown <= now <= counted
            shown = now
        else:
            bury(board, place)
            workers[place] = Worker(board, place)
