"""The ends of Kafka's logs are read beside each other, and one that cannot be read holds up none."""

from __future__ import annotations

import threading

import pytest

from feedback.bus import kafka_tail
from feedback.bus.kafka import KafkaBus
from feedback.bus.kafka_tail import AT_ONCE, LogEnds
from feedback.bus.protocol import Numbered, Place
from feedback.events import EXCHANGES
from tests.waiting import eventually
from understudy.ids import random_id

A, B = (EXCHANGES, 0), (EXCHANGES, 1)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others' patience is not what is tested."""
    monkeypatch.setattr(kafka_tail, "PATIENCE", 0.2)


def test_what_hangs_or_fails_is_left_out_and_asked_for_again() -> None:
    go, failing, asked = threading.Event(), [True], list[Place]()

    def read(place: Place, spool: str) -> int:
        asked.append(place)
        if place == A:
            go.wait(120)
        elif failing:
            raise TimeoutError("cannot be read")
        return 7

    ends = LogEnds(read)
    assert ends.highest("s", {A: "1", B: "1"}) == {}
    failing.clear()
    eventually(lambda: ends.highest("s", {A: "1", B: "1"}) == {B: 7})
    assert asked.count(A) == 1, "it is read still"
    go.set()
    eventually(lambda: ends.highest("s", {A: "1"}) == {A: 7})


def test_what_was_read_of_another_life_does_not_count() -> None:
    go, numbers, taken = threading.Event(), iter((9, 4)), list[int]()

    def read(place: Place, spool: str) -> int:
        number = next(numbers)
        taken.append(number)
        if number == 9:
            go.wait(120)
        return number

    ends = LogEnds(read)
    assert ends.highest("s", {A: "1"}) == {}
    eventually(lambda: taken == [9])
    eventually(lambda: ends.highest("s", {A: "2"}) == {A: 4})
    go.set()


def test_no_more_than_a_few_are_read_at_once_and_none_is_left_for_good() -> None:
    go, running = threading.Event(), list[Place]()

    def read(place: Place, spool: str) -> int:
        running.append(place)
        go.wait(120)
        return 1

    ends, wanted = LogEnds(read), {(EXCHANGES, part): "1" for part in range(2 * AT_ONCE)}
    for _ in range(2):
        assert ends.highest("s", wanted) == {}
    eventually(lambda: len(running) == AT_ONCE)
    go.set()
    got: set[Place] = set()
    eventually(
        lambda: (
            got.update(ends.highest("s", {p: life for p, life in wanted.items() if p not in got})) or got == set(wanted)
        )
    )


@pytest.mark.kafka
def test_a_partition_whose_end_cannot_be_read_waits_alone(kafka_servers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    topic, go, read = f"{EXCHANGES}.{random_id()[:8]}", threading.Event(), kafka_tail._highest

    def stuck(consumer: object, here: object, *more: object) -> int:
        if here.partition == 0 and not go.wait(120):  # type: ignore[attr-defined]
            raise TimeoutError("not in this test")
        return read(consumer, here, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(kafka_tail, "_highest", stuck)
    bus, places = KafkaBus(kafka_servers, 2), [(topic, 0), (topic, 1)]
    for part in (0, 1):
        bus.publish(topic, part, "s", [Numbered(1, "k", b"{}")])
    got: dict[Place, int | None] = {}

    def told() -> dict[Place, int | None]:
        got.clear()
        got.update({place: held.highest for place, held in bus.held("s", places).items()})
        return got

    eventually(lambda: told() == {(topic, 1): 1})
    go.set()
    eventually(lambda: told() == dict.fromkeys(places, 1))
    bus.close()
