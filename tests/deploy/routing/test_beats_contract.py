"""What every store of beats promises; a further one is one more entry of `PLACES`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from deploy.routing.beats import EXPIRY, BeatStore
from deploy.routing.beats_file import FileBeats
from deploy.routing.beats_redis import RedisBeats
from deploy.routing.keys import DeployKeys
from deploy.routing.quick_redis import QuickRedis
from tests.deploy.fleet import Time
from tests.deploy.routing.samples import gateway_beat, slot_beat
from understudy.state import StateDir


class Files:
    """`open` gives a further user of the same place, `put` leaves a beat that is none, `pass_` lets time pass."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        state: StateDir = request.getfixturevalue("state_dir")
        self._folder = state.run
        self.now = Time()

    def open(self) -> BeatStore:
        return FileBeats(self._folder, self.now, self.now)

    def put(self, kind: str, name: str, rubbish: bytes) -> None:
        (self._folder / f"{kind}s").mkdir(parents=True, exist_ok=True)
        (self._folder / f"{kind}s" / f"{name}.json").write_bytes(rubbish)

    def pass_(self, seconds: float) -> None:
        self.now.at += seconds


class Redis:
    """As `Files`, on a server, whose expiry is brought forward instead of waited for."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._url: str = request.getfixturevalue("redis_url")
        self._client = redis.Redis.from_url(self._url, decode_responses=True)
        self.now = Time()

    def open(self) -> BeatStore:
        return RedisBeats(QuickRedis(self._url), DeployKeys())

    def put(self, kind: str, name: str, rubbish: bytes) -> None:
        self._client.set(f"us:{kind}:{name}", rubbish)
        if kind == "gateway":
            self._client.sadd("us:gateways", name)

    def pass_(self, seconds: float) -> None:
        for key in self._client.scan_iter("us:*:*"):
            left = self._client.pttl(key) - 1000 * seconds
            assert left < 1000 * EXPIRY, "each beat expires by itself"
            self._client.pexpire(key, round(max(left, 0)))


PLACES: dict[str, Callable[[pytest.FixtureRequest], Files | Redis]] = {"files": Files, "redis": Redis}
Place = Files | Redis


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    return PLACES[request.param](request)


def test_nobody_reported_yet(place: Place) -> None:
    assert (place.open().slots(), place.open().gateways(), place.open().answers) == ({}, {}, True)


def test_what_is_reported_is_heard_by_another_user_and_a_later_report_replaces_it(place: Place) -> None:
    slot, gateway = slot_beat(at=place.now.at), gateway_beat(at=place.now.at)
    place.open().report_slot(slot)
    place.open().report_gateway(gateway)
    assert place.open().slots() == {"student-a": slot}
    assert place.open().gateways() == {"g1": gateway}
    later = gateway.model_copy(update={"epoch": 5})
    place.open().report_gateway(later)
    assert place.open().gateways() == {"g1": later}


def test_a_beat_counts_for_five_seconds_and_its_sender_comes_back_with_the_next(place: Place) -> None:
    place.open().report_slot(slot_beat(at=place.now.at))
    place.open().report_gateway(gateway_beat(at=place.now.at))
    place.pass_(EXPIRY - 2)
    assert (set(place.open().slots()), set(place.open().gateways())) == ({"student-a"}, {"g1"})
    place.pass_(3)
    assert (place.open().slots(), place.open().gateways()) == ({}, {})
    place.open().report_gateway(gateway_beat(at=place.now.at))
    assert set(place.open().gateways()) == {"g1"}


def test_a_gateway_that_stops_in_order_is_forgotten_at_once(place: Place) -> None:
    for name in ("g1", "g2"):
        place.open().report_gateway(gateway_beat(name, at=place.now.at))
    place.open().forget_gateway("g1")
    place.open().forget_gateway("never seen")
    assert set(place.open().gateways()) == {"g2"}


@pytest.mark.parametrize(
    "rubbish", [b"", b"rubbish", b"\xff", b'{"at": "now"}', b'{"id": "g2", "at": 1}', b'{"at": 99999999999, "slot"']
)
def test_a_beat_that_is_none_is_left_out(place: Place, rubbish: bytes) -> None:
    place.open().report_slot(slot_beat(at=place.now.at))
    place.put("slot", "teacher", rubbish)
    place.put("gateway", "g2", rubbish)
    assert "teacher" not in place.open().slots()
    assert "g2" not in place.open().gateways()
