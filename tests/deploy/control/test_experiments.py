"""What every store of experiments promises; a further one is one more entry of `KINDS`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ab.experiment import Experiment
from deploy.control.experiments import ExperimentStore, FileExperiments
from understudy.errors import BadRequest, NotFound
from understudy.state import StateDir

KINDS: dict[str, Callable[[StateDir], ExperimentStore]] = {"files": FileExperiments}


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, state_dir: StateDir) -> ExperimentStore:
    return KINDS[request.param](state_dir)


def experiment(name: str, share: float = 0.5) -> Experiment:
    return Experiment(id=name, arms={"teacher": share, "student": 1 - share})


def test_what_is_put_is_active_in_the_order_of_ids_and_may_be_replaced(store: ExperimentStore) -> None:
    for name in ("b", "a"):
        store.put(experiment(name))
    assert [one.id for one in store.all()] == ["a", "b"]
    store.put(experiment("a", 0.25))
    assert store.get("a") == experiment("a", 0.25)


def test_a_stopped_one_is_kept_until_it_is_applied_again(store: ExperimentStore) -> None:
    store.put(experiment("a"))
    store.delete("a")
    assert (store.all(), store.stopped()) == ((), (experiment("a"),))
    store.put(experiment("a"))
    assert (store.all(), store.stopped()) == ((experiment("a"),), ())


def test_one_that_is_not_active_is_not_found(store: ExperimentStore) -> None:
    for refused in (store.get, store.delete):
        with pytest.raises(NotFound, match="no active experiment 'x'"):
            refused("x")


def test_an_id_that_names_another_place_is_refused(store: ExperimentStore) -> None:
    with pytest.raises(BadRequest, match="no experiment id"):
        store.put(experiment("a").model_copy(update={"id": "../a"}))
