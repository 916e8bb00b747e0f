"""Which arms answer, by engines on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from serving.gateway import answering
from serving.gateway.answering import AGAIN, FRESH, Answering
from serving.gateway.pool.call import Call
from serving.gateway.pool.upstreams import Upstreams
from tests.serving.gateway.conftest import document
from tests.serving.gateway.upstream import Engine, response, run, says

Make = Callable[..., Engine]


class World:
    """An `Answering` whose clock stands still until a test moves it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now = 100.0
        self.loop = loop
        self.upstreams = Upstreams(4.0, lambda: self.now)
        self.answering = Answering(self.upstreams, lambda: self.now)

    def faults(self, engines: dict[str, Engine]) -> dict[str, str]:
        found: dict[str, str] = run(self.loop, self.answering.faults(document(engines), "engine-key"))
        return found


@pytest.fixture
def world(loop: asyncio.AbstractEventLoop) -> World:
    return World(loop)


def test_each_arm_is_asked_with_its_key_and_the_answer_is_kept_for_a_while(world: World, engine: Make) -> None:
    teacher = engine("teacher")
    assert world.faults({"teacher": teacher}) == {"teacher": "", "student": "no slot has its version ready"}
    assert [(seen.path, seen.headers["authorization"]) for seen in teacher.seen] == [
        ("/v1/models", "Bearer engine-key")
    ]
    world.faults({"teacher": teacher})
    assert len(teacher.seen) == 1
    world.now += FRESH
    world.faults({"teacher": teacher})
    assert len(teacher.seen) == 2


def test_an_address_with_a_query_is_asked_with_it(world: World, engine: Make) -> None:
    teacher = engine("teacher")
    asked = document({"teacher": teacher})
    view = asked.slots["teacher"].model_copy(update={"url": f"{teacher.url}/openai?api-version=1"})
    assert run(world.loop, world.answering.faults(asked.model_copy(update={"slots": {"teacher": view}}), ""))
    assert teacher.seen[0].path == "/openai/models?api-version=1"


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        (says(response(b"{}", "500 Internal Server Error")), "it answers 500"),
        (says(response(b"{}", "401 Unauthorized")), "it refuses our key (401)"),
        (says(response(b"{}", "404 Not Found")), ""),
        (says("close"), "it cannot be reached"),
        (says(b"not http\r\n\r\n"), "its answer is not HTTP"),
    ],
)
def test_what_an_engine_answers_says_whether_it_serves(world: World, engine: Make, script: object, fault: str) -> None:
    teacher = engine("teacher", script=script)
    found = world.faults({"teacher": teacher})["teacher"]
    assert found.startswith(fault) if fault else found == ""


def test_an_engine_that_hangs_does_not_hold_the_probe_up(
    world: World, engine: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "DEADLINE", 0.2)
    teacher = engine("teacher", script=says(60.0))
    assert world.faults({"teacher": teacher})["teacher"] == "it did not answer within 0.2 s"


def test_one_that_comes_back_is_seen_soon(world: World, engine: Make) -> None:
    teacher = engine("teacher")
    teacher.stop()
    assert "cannot be reached" in world.faults({"teacher": teacher})["teacher"]
    teacher.start()
    world.now += AGAIN
    assert world.faults({"teacher": teacher})["teacher"] == ""


def test_answers_to_clients_prove_it_and_failures_disprove_it_without_asking(world: World, engine: Make) -> None:
    teacher = engine("teacher")
    endpoint = world.upstreams.pick(teacher.url)
    Call(endpoint).answered(200, False)
    assert world.faults({"teacher": teacher})["teacher"] == ""
    Call(endpoint).unreachable()
    assert world.faults({"teacher": teacher})["teacher"] == "its last requests failed"
    assert teacher.seen == []
