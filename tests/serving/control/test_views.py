"""What the pages say of a round that waits."""

from __future__ import annotations

from fastapi.testclient import TestClient

from tests.deploy.fleet import Moving, World, to_canary


def test_status_says_what_a_round_waits_for(admin: TestClient, world: World) -> None:
    to_canary(world, world.candidate())
    assert admin.get("/status").json()["round"]["waits"] is None
    admin.post("/freeze", json={"what": "promotion"})
    assert "understudy resume promotion" in admin.get("/status").json()["round"]["waits"]


def test_who_asks_for_a_round_hears_what_it_waits_for(admin: TestClient, world: World) -> None:
    assert admin.post("/rounds").json()["waits"] is None
    admin.post("/freeze", json={"what": "learning"})
    assert "learning is frozen" in admin.post("/rounds").json()["waits"]
    admin.post("/resume", json={"what": "learning"})
    world.candidate()
    assert "round 1 is at gate" in admin.post("/rounds").json()["waits"]


def test_status_and_versions_say_what_is_not_known_of_a_student(admin: TestClient, world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    world.evidence(version, 50)
    world.turn()
    assert admin.get("/status").json()["live"]["student"] == version
    for told in (admin.get("/status").json()["live"], admin.get("/versions").json()["versions"][0]):
        assert told["caveats"][0].startswith("judged on few: a loss below")
        assert "shadow pairs of the canary" in told["caveats"][1]


def test_a_rollback_that_makes_live_similarity_fall_is_said_beside_the_live_version(
    admin: TestClient, world: World
) -> None:
    with Moving(world):
        assert admin.post("/rollback", json={"version": "v1"}).status_code == 200
    assert admin.get("/status").json()["live"]["caveats"] == []
    world.evidence("v2", 100, similarity=0.46)
    world.evidence("v1", 100, similarity=0.16)
    (said,) = admin.get("/status").json()["live"]["caveats"]
    assert said.startswith("the rollback from v2 made live similarity fall: 0.46 (100 pairs) -> 0.16 (100 pairs)")
    world.evidence("v1", 100, similarity=0.5)
    assert admin.get("/status").json()["live"]["caveats"] == []
