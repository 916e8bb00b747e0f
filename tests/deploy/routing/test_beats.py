"""Beats over files and Redis together, and where one of them has nothing to say."""

from __future__ import annotations

import pytest

from deploy.routing.stores import open_routing
from feedback.store.server import RedisServer
from tests.deploy.fleet import Time
from tests.deploy.routing.samples import NOWHERE, slot_beat
from understudy.state import StateDir


def test_beats_are_stamped_with_the_time_and_the_process(state_dir: StateDir) -> None:
    time = Time()
    beats = open_routing(state_dir, None, clock=time).beats
    beats.report_slot(slot_beat())
    beats.report_gateway("g1", 4, "http://127.0.0.1:8000")
    assert beats.slots()["student-a"].at == time.at
    (gateway,) = beats.gateways()
    assert (gateway.id, gateway.epoch, gateway.at) == ("g1", 4, time.at)
    assert gateway.pid


def test_beats_reach_a_controller_on_another_machine(state_dir: StateDir, redis_url: str) -> None:
    open_routing(None, redis_url).beats.report_slot(slot_beat("student-b"))
    open_routing(None, redis_url).beats.report_gateway("g9", 1, "")
    elsewhere = open_routing(state_dir, redis_url).beats
    assert list(elsewhere.slots()) == ["student-b"]
    assert [beat.id for beat in elsewhere.gateways()] == ["g9"]
    elsewhere.forget_gateway("g9")
    assert elsewhere.gateways() == []


@pytest.mark.parametrize("younger", ["file", "redis"])
def test_the_younger_beat_counts(state_dir: StateDir, redis_url: str, younger: str) -> None:
    early, late = Time(), Time()
    late.at += 2
    file, redis = (late, early) if younger == "file" else (early, late)
    open_routing(state_dir, None, clock=file).beats.report_gateway("g1", 7 if younger == "file" else 6, "")
    open_routing(None, redis_url, clock=redis).beats.report_gateway("g1", 7 if younger == "redis" else 6, "")
    assert [beat.epoch for beat in open_routing(state_dir, redis_url, clock=late).beats.gateways()] == [7]


def test_on_one_machine_files_are_heard_while_redis_is_away(state_dir: StateDir) -> None:
    beats = open_routing(state_dir, NOWHERE).beats
    beats.report_slot(slot_beat())
    assert set(beats.slots()) == {"student-a"}
    assert not beats.sees_all


def test_silence_means_absence_unless_a_store_is_away(state_dir: StateDir, own_redis: RedisServer) -> None:
    assert open_routing(state_dir, None).beats.sees_all
    beats = open_routing(state_dir, own_redis.url).beats
    assert beats.sees_all
    own_redis.stop()
    assert not beats.sees_all


def test_a_full_state_directory_keeps_no_beat_from_redis(state_dir: StateDir, redis_url: str) -> None:
    for name in ("slots", "gateways"):  # where a folder should be: what is to be written there fails
        state_dir.run.mkdir(exist_ok=True)
        (state_dir.run / name).write_text("")
    beats = open_routing(state_dir, redis_url).beats
    beats.report_slot(slot_beat())
    beats.report_gateway("g1", 4, "")
    heard = open_routing(None, redis_url).beats
    assert list(heard.slots()) == ["student-a"]
    assert [beat.id for beat in heard.gateways()] == ["g1"]
    beats.forget_gateway("g1")
    assert heard.gateways() == []
