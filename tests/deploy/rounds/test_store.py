from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from deploy.rounds.store import FileRounds, RoundStore
from deploy.rounds.table import STAGES
from understudy.errors import Conflict, IllegalTransition, NotFound
from understudy.files import READY
from understudy.state import StateDir

KINDS: dict[str, Callable[[StateDir], RoundStore]] = {"files": FileRounds}
"""A further store is one more entry: these tests are what it must keep."""


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, state_dir: StateDir) -> RoundStore:
    return KINDS[request.param](state_dir)


def test_a_round_goes_through_all_stages_and_knows_its_candidate(store: RoundStore) -> None:
    begun = store.begin("v2", "t1", "样本足够")
    for stage in STAGES:
        assert store.get(begun.id).state == stage
        store.finish(begun.id, stage, {"version": "v3"} if stage == "register" else {})
    done = store.get(begun.id)
    assert (done.state, done.candidate, done.why, done.finished) == ("done", "v3", "样本足够", True)
    assert store.current() is None
    assert store.begin("v3", "t1", "next").id == begun.id + 1


def test_a_number_is_given_out_once_although_rounds_go_and_one_was_hardly_begun(state_dir: StateDir) -> None:
    store = FileRounds(state_dir)
    for _ in range(3):
        store.fail(store.begin("v1", "t1", "w").id, {})
    shutil.rmtree(state_dir.rounds / "1")
    assert store.begin("v1", "t1", "w").id == 4
    store.fail(4, {})
    (state_dir.rounds / "5").mkdir()  # its controller was killed before it wrote more
    assert store.begin("v1", "t1", "w").id == 6


def test_the_latest_rounds_before_one_are_found_without_the_others(store: RoundStore) -> None:
    for _ in range(5):
        store.fail(store.begin("v1", "t1", "w").id, {})
    assert [one.id for one in store.before(5, 3)] == [4, 3, 2]
    assert [one.id for one in store.before(2, 3)] == [1]
    assert store.before(1, 3) == []


def test_a_round_knows_its_budget_and_when_its_state_began(state_dir: StateDir) -> None:
    now = [100.0]
    store = FileRounds(state_dir, lambda: now[0])
    assert (store.begin("v1", "t1", "w", 90.0).budget, store.get(1).since) == (90.0, 100.0)
    now[0] = 130.0
    store.finish(1, "select", {"seconds": 3.0})
    assert (store.get(1).since, store.get(1).stages["select"].seconds) == (130.0, 3.0)
    assert store.file(1, "score", "spent.json").parts[-3:] == ("1", "score", "spent.json")
    assert not store.file(1, "score", "spent.json").parent.exists()


def test_only_one_round_at_a_time(store: RoundStore) -> None:
    store.begin("v2", "t1", "first")
    with pytest.raises(Conflict, match="round 1 is under way"):
        store.begin("v2", "t1", "second")


def test_a_stage_without_its_marker_is_not_over(store: RoundStore) -> None:
    store.begin("v2", "t1", "x")
    store.finish(1, "select", {"n": 5})
    (store.folder(1, "select") / READY).unlink()
    assert store.get(1).state == "select"


def test_ending_a_stage_again_changes_nothing_and_out_of_turn_is_refused(store: RoundStore) -> None:
    store.begin("v2", "t1", "x")
    first = store.finish(1, "select", {"n": 5})
    assert store.finish(1, "select", {"n": 6}) == first
    with pytest.raises(IllegalTransition, match="'score'"):
        store.finish(1, "distil", {})
    with pytest.raises(IllegalTransition, match="event 'rejected'"):
        store.finish(1, "score", {}, "rejected")
    assert store.get(1) == first


def test_a_failed_stage_ends_the_round(store: RoundStore) -> None:
    store.begin("v2", "t1", "x")
    assert store.finish(1, "select", {"why": "no samples"}, "failed").state == "failed"
    assert store.begin("v2", "t1", "again").id == 2
    assert [r.id for r in store.all()] == [2, 1]


def test_progress_is_read_back_and_time_is_kept_by_stage(state_dir: StateDir) -> None:
    times = iter(float(n) for n in range(0, 100, 10))
    store = FileRounds(state_dir, lambda: next(times))
    store.begin("v2", "t1", "x")
    store.progress(1, "select", 3, 10, "读取")
    told = store.read_progress(1)
    assert told is not None
    assert (told["stage"], told["done"], told["note"]) == ("select", 3, "读取")
    done = store.finish(1, "select", {})
    assert done.stages["select"].seconds == 20
    assert store.finish(1, "score", {"seconds": 1.5}).stages["score"].seconds == 1.5


def test_rounds_and_stages_that_do_not_exist_are_not_found(store: RoundStore) -> None:
    with pytest.raises(NotFound):
        store.get(7)
    store.begin("v2", "t1", "x")
    with pytest.raises(NotFound):
        store.folder(1, "../../x")
    assert store.read_progress(7) is None


@pytest.mark.parametrize("done", range(len(STAGES)))
def test_a_round_can_be_failed_at_any_stage_and_who_works_on_it_is_refused(store: RoundStore, done: int) -> None:
    store.begin("v2", "t1", "first")
    for stage in STAGES[:done]:
        store.finish(1, stage, {"version": "v3"})
    failed = store.fail(1, {"error": "aborted by operator"})
    assert (failed.state, failed.stages[STAGES[done]].summary["error"]) == ("failed", "aborted by operator")
    with pytest.raises(IllegalTransition):
        store.finish(1, STAGES[done], {})
    with pytest.raises(Conflict, match="ended already: failed"):
        store.fail(1, {})
    assert store.current() is None
