"""What is measured and in which order, and that a run goes on where it was."""

from __future__ import annotations

from pathlib import Path

from bench.gateway.candidates.starting import ALL, BARE, OURS, PEERS
from bench.gateway.load import Workload
from bench.gateway.plan import HELD, PARTS, QUICK, Lengths, minutes, steps, together
from bench.gateway.record import BenchRecord


def test_each_workload_has_all_candidates_in_turn_and_a_rate_is_held_where_it_counts() -> None:
    made = steps(PARTS, PEERS, 2, Lengths())
    rates = [step for step in made if step.part == "rates"]
    assert [step.name for step in rates[:9]] == ["direct", *PEERS, *OURS]
    assert {step.seconds for step in rates if step.load in HELD and step.name in OURS} == {30.0}
    loads = {step.load for step in rates}
    assert {(load.size, load.events) for load in loads if isinstance(load, Workload)} == {
        (512, 0), (8 << 10, 0), (64 << 10, 0), (512, 32), (512, 512),
    }  # fmt: skip
    assert {load.connections for load in loads if isinstance(load, Workload)} == {1, 16, 128}
    longest = max((step for step in made if step.part == "streams"), key=lambda step: step.seconds)
    assert (longest.load, longest.seconds) == (1000, 120.0)
    assert [step.seconds for step in made if step.part == "memory"] == [600.0]
    assert [step.part for step in made] == sorted((step.part for step in made), key=list(PARTS).index)


def test_no_step_stands_for_another_in_the_record() -> None:
    for lengths in (Lengths(), QUICK):
        made = steps(PARTS, PEERS, 2, lengths)
        assert len({(step.part, step.workload, step.name) for step in made}) == len(made)


def test_one_part_alone_is_planned_with_its_minutes() -> None:
    made = steps(["memory"], [], 2, Lengths())
    assert list(minutes(made)) == ["memory"]
    assert 15 < minutes(made)["memory"] < 16, "what is bounded is filled first"


def test_earlier_states_are_measured_beside_nginx_and_this_one() -> None:
    made = steps(["changes"], PEERS, 2, Lengths(), ["abc1234"])
    assert [step.name for step in made] == ["nginx", f"{BARE} at abc1234", f"{ALL} at abc1234", BARE, ALL]
    assert steps(["changes"], PEERS, 2, Lengths()) == []


def test_one_worker_has_the_share_of_each_of_several() -> None:
    several, one, *_ = together(4)
    assert several == (Workload(512, 0, 64), f"{BARE} x4")
    assert one == (Workload(512, 0, 16), BARE)


def test_a_record_goes_on_with_a_run_of_the_same_kind_alone(tmp_path: Path) -> None:
    path = tmp_path / "gateway.json"
    about = {"machine": {"cores": 2}, "seconds": {"short": 5.0}}
    BenchRecord(path, about).keep("rates", "w", ALL, {"per_second": 1.0})
    again = BenchRecord(path, about)
    again.keep("rates", "w", BARE, {"per_second": 2.0})
    third = BenchRecord(path, about)
    assert third.figures("rates", "w", ALL) == {"per_second": 1.0}
    assert third.figures("rates", "w", "nginx") is None
    assert BenchRecord(path, {**about, "machine": {"cores": 4}}).figures("rates", "w", ALL) is None
    assert BenchRecord(None, about).figures("rates", "w", ALL) is None
