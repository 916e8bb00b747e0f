"""A rollback on real agents and engines, to a version that no slot holds: loaded beside the traffic, then live."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.control.conductor import TICK, Conductor
from deploy.life.config import GateConfig
from deploy.life.deployment import Deployment
from deploy.life.document import Settings
from tests.engines import EARLIER, LATER, TEACHER, Engines, register
from trials.variant import make_variant

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]
OLDEST = "v0"


class Client(threading.Thread):
    """Asks student-b for the later version, again and again; keeps what was answered."""

    def __init__(self, engines: Engines) -> None:
        super().__init__(daemon=True)
        self.engines, self.end, self.answers = engines, threading.Event(), list[int]()

    def run(self) -> None:
        while not self.end.is_set():
            self.answers.append(ask(self.engines, "student-b", LATER).status_code)


def ask(engines: Engines, slot: str, version: str) -> httpx.Response:
    body = {"model": "student", "prompt": [5, 6, 7], "max_tokens": 4}
    url = engines.url(slot) + "/v1/completions"
    return httpx.post(url, json=body, headers=engines.headers(version), timeout=60)


@pytest.fixture
def conductor(settled: Engines, tmp_path: Path) -> Iterator[Conductor]:
    """At work where the later version is live; of the two before it the older one is in no slot."""
    oldest = make_variant(settled.registry.path(EARLIER), tmp_path / "noise", 7)
    register(settled.registry, oldest, OLDEST, tmp_path / "models", settled.registry.path(EARLIER))
    deployment = Deployment(settled.state, Settings())
    deployment.beats = settled.routing.beats.slots()
    known = {v: deployment.state.record(v).state for v in (LATER, EARLIER, OLDEST)}  # by the documents of other tests
    moves = [(v, "superseded", "test") for v, state in known.items() if state == "live" and v != LATER]
    moves += [(LATER, "adopted" if known[LATER] == "registered" else "restored", "test")] * (known[LATER] != "live")
    moves += [(v, "kept", "test") for v in (EARLIER, OLDEST) if known[v] == "registered"]
    deployment.change(*moves, stable=LATER, previous=(EARLIER, OLDEST), teacher=TEACHER)
    made = Conductor(deployment, settled.routing, GateConfig())
    made.tick()

    def work() -> None:
        while not made.context.stopping.wait(TICK):
            made.tick()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield made
    made.context.stopping.set()
    thread.join(60)


def test_a_rollback_loads_an_older_version_without_one_failed_request(settled: Engines, conductor: Conductor) -> None:
    client = Client(settled)
    client.start()
    try:
        answer = conductor.acts.perform("rollback", OLDEST, "test")
    finally:
        client.end.set()
        client.join(90)
    assert (answer["from"], answer["to"]) == (LATER, OLDEST)
    assert set(client.answers) == {200}
    document = settled.routing.documents.read()
    assert document is not None
    assert (document.stable, document.previous) == (OLDEST, (LATER, EARLIER))
    assert document.slots["student-a"].serves
    reply = ask(settled, "student-a", OLDEST)
    assert (reply.status_code, reply.headers["x-understudy-loaded"]) == (200, OLDEST)
    again = conductor.acts.perform("rollback", LATER, "test")
    assert (again["to"], ask(settled, "student-b", LATER).status_code) == (LATER, 200)
