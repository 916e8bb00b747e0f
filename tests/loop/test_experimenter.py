"""Two experiments on the traffic of the turn: one is stopped for harm on the new kind, an A/A beside it stays silent.

And one whose every unit is known, while it is applied, changed and stopped.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.loop.experimenter import DRIFT, SAME, understudy
from tests.loop.turn import Turned
from tests.waiting import eventually
from trials.system import System

pytestmark = [pytest.mark.loop, pytest.mark.timeout(1200)]

SILENT = {"keep running", "not enough data"}


def looks(turned: Turned, name: str) -> list[dict[str, Any]]:
    seen = turned.looks[name]
    assert seen, f"{name} was never seen:\n{turned.output[-3000:]}"
    return seen


def test_a_student_asked_what_it_was_never_taught_is_stopped_for_harm(turned: Turned) -> None:
    seen = looks(turned, DRIFT["id"])
    decisions = list(dict.fromkeys(one["decision"] for one in seen))
    assert decisions[-1] == "stop for harm", decisions
    assert set(decisions) - {"stop for harm"} <= SILENT, decisions
    last = seen[-1]
    (pair,) = last["comparisons"]
    assert (pair["old"], pair["new"], pair["primary"]["verdict"]) == ("teacher", "student", "harm")
    assert pair["primary"]["upper"] < -DRIFT["primary"]["margin"]
    assert last["state"] == "stopped"
    assert last["reached_units"] == sum(one["units"] for one in last["arms"].values()) <= 600


def test_an_a_a_in_another_layer_stays_silent_beside_it(turned: Turned) -> None:
    seen = looks(turned, SAME["id"])
    assert {one["decision"] for one in seen} <= SILENT, [one["why"] for one in seen if one["decision"] not in SILENT]
    last = seen[-1]
    assert min(one["units"] for one in last["arms"].values()) > 100
    assert last["comparisons"][0]["primary"]["n"] > 200, "it looked at what the customers said, too"
    assert [one["number"] for one in last["phases"]] == [1], "what the other layer does changes nothing here"


@pytest.mark.parametrize("name", [DRIFT["id"], SAME["id"]])
def test_units_arrive_in_the_shares_asked_for_at_every_look(turned: Turned, name: str) -> None:
    assert {one["sample_ratio"]["verdict"] for one in looks(turned, name)} == {"fits"}


def test_the_command_says_both_answers_in_a_sentence_when_everything_was_started_again(settled: System) -> None:
    harm = understudy(settled.state, "experiment", "results", DRIFT["id"])
    assert harm.returncode == 0, harm.stderr
    assert harm.stdout.startswith("stop for harm: the student answers right "), harm.stdout
    first, second = harm.stdout.splitlines()[:2]
    assert "less often than the teacher, between -" in first
    assert first.endswith("; the margin is 5.0")
    assert second.startswith(f"{DRIFT['id']} is stopped")
    assert "shares  as asked for" in harm.stdout
    same = understudy(settled.state, "experiment", "results", SAME["id"], "--json")
    assert same.returncode == 0, same.stderr
    assert json.loads(same.stdout)["decision"] in SILENT


class NewUsers:
    """Clients whose every request is another user's, and what the replies said of their experiment and arm."""

    def __init__(self, base: str) -> None:
        self.seen: list[tuple[str | None, str]] = []
        self.over = threading.Event()
        self._url, self._number = f"{base}/v1/chat/completions", itertools.count()

    def ask(self) -> None:
        """One request after the other."""
        body = {"model": "auto", "max_tokens": 1, "messages": [{"role": "user", "content": "Hello"}]}
        with httpx.Client(timeout=60) as client:
            while not self.over.is_set():
                answer = client.post(self._url, json={**body, "user": f"new-{next(self._number)}"})
                assert answer.status_code == 200, answer.text
                told = answer.headers.get("x-understudy-experiment")
                self.seen.append((told, answer.headers["x-understudy-arm"]))

    def of(self, experiment: str | None) -> Counter[str]:
        """Users whose reply named the experiment, by arm."""
        return Counter(arm for told, arm in list(self.seen) if told == experiment)


@contextmanager
def new_users(base: str) -> Iterator[NewUsers]:
    """Four clients while the block runs; none of their requests may fail."""
    users = NewUsers(base)
    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(users.ask) for _ in range(4)]
        try:
            yield users
        finally:
            users.over.set()
    for one in asking:
        one.result()


def test_no_exposure_is_lost_while_an_experiment_is_applied_changed_and_stopped(
    settled: System, tmp_path: Path
) -> None:
    def done(*words: str) -> None:
        answer = understudy(settled.state, "experiment", *words)
        assert answer.returncode == 0, answer.stderr

    def apply(student: float) -> None:
        file = tmp_path / "e.yaml"
        file.write_text(yaml.safe_dump({"id": "under-load", "arms": {"teacher": 1 - student, "student": student}}))
        done("apply", str(file))

    def more(users: NewUsers, experiment: str | None) -> None:
        wanted = users.of(experiment).total() + 30
        eventually(lambda: users.of(experiment).total() >= wanted, 120, f"replies of {experiment}")

    with new_users(settled.gateway) as users:
        more(users, None)
        apply(0.5)
        more(users, "under-load")
        apply(0.75)
        more(users, "under-load")
        done("stop", "under-load")
        more(users, None)

    def counted() -> bool:
        found = settled.admin.get("/experiments/under-load/results").raise_for_status().json()
        arms = {arm: one["units"] for arm, one in found["arms"].items()}
        return arms == users.of("under-load") and [one["number"] for one in found["phases"]] == [1, 2]

    eventually(counted, 180, f"{users.of('under-load')} units in two phases")
