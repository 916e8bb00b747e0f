"""Old rounds and archived weights go, what is in use and what was decided stays."""

from __future__ import annotations

import os
import time

from deploy.control.retention import PruneSums, in_use, prune, store_uses
from deploy.registry.config import RegistryConfig
from deploy.registry.store import Registry
from deploy.rounds.store import FileRounds
from tests.deploy.fleet import World, actions, register, to_canary
from understudy.errors import Unavailable
from understudy.retention import folder_bytes

RULES = RegistryConfig(keep_rounds=1, keep_archived=1)


def ended_rounds(world: World, n: int) -> list[str]:
    """Candidates of `n` rounds that their gate refused, with a text in each round."""
    versions = []
    for number in range(1, n + 1):
        versions.append(world.candidate(better=-0.2))
        (world.state.rounds / str(number) / "select").mkdir(exist_ok=True)
        (world.state.rounds / str(number) / "select" / "train.jsonl").write_text("客户的话", "utf-8")
        world.turn()
    return versions


def texts(world: World) -> list[str]:
    return sorted(path.parts[-3] for path in world.state.rounds.rglob("train.jsonl"))


def test_of_old_rounds_only_the_summaries_stay(world: World) -> None:
    ended_rounds(world, 3)
    before = FileRounds(world.state).all()
    prune(world.conductor.deployment, RULES)
    assert texts(world) == ["3"]
    assert FileRounds(world.state).all() == before
    assert actions(world)[-1] == "retention.pruned"
    prune(world.conductor.deployment, RULES)
    assert actions(world).count("retention.pruned") == 1, "nothing is left to go"


def test_targets_go_with_the_texts_that_they_were_made_of(world: World) -> None:
    ended_rounds(world, 3)
    began = {one.id: one.started for one in FileRounds(world.state).all()}
    shard = world.state.rounds / "1" / "score" / "shard-0.targets"
    shard.parent.mkdir(exist_ok=True)
    shard.write_bytes(b"tokens")
    cached = [world.state.rounds / "kept" / "targets" / "ab" / name for name in ("abold", "abnew")]
    cached[0].parent.mkdir(parents=True)
    for path, used in zip(cached, (began[3] - 1, began[3] + 1), strict=True):
        path.write_bytes(b"tokens")
        os.utime(path, (used, used))
    prune(world.conductor.deployment, RULES)
    assert [path.exists() for path in (shard, *cached)] == [False, False, True]


def test_a_round_whose_candidate_is_in_use_or_that_is_under_way_stays(world: World) -> None:
    live = world.candidate()
    (world.state.rounds / "1" / "select" / "train.jsonl").write_text("客户的话", "utf-8")
    to_canary(world, live)
    world.evidence(live, 60)
    assert world.turn(5).stable == live
    ended = RegistryConfig(keep_rounds=1, keep_archived=0)
    world.candidate(better=-0.2)
    world.turn()
    coming = world.candidate()
    (world.state.rounds / "3" / "select" / "train.jsonl").write_text("客户的话", "utf-8")
    world.turn()
    assert {live, coming, "v2", "v1"} <= in_use(world.conductor.deployment)
    prune(world.conductor.deployment, ended)
    assert texts(world) == ["1", "3"]


def test_archived_weights_go_but_the_latest_and_the_manifests_stay(world: World) -> None:
    registry = Registry(world.state)
    for content in ("a", "b", "c"):
        registry.archive(register(world.state, content))
    archive = world.state.registry / "archive"
    weights = [sorted(os.listdir(archive / name)) for name in ("v3", "v4", "v5")]
    prune(world.conductor.deployment, RULES)
    assert sorted(os.listdir(archive / "v3")) == sorted(os.listdir(archive / "v4")) == ["READY", "manifest.json"]
    assert sorted(os.listdir(archive / "v5")) == weights[2]
    assert registry.next_version("student") == "v6", "names of versions that went stay taken"


def test_the_table_names_every_store_with_its_size(world: World) -> None:
    table = {use.name: use for use in store_uses(world.state, RULES, world.rollout)}
    assert table["versions"].bytes == folder_bytes(world.state.versions) > 0
    assert (table["versions"].items, table["audit log"].items) == (2, 1)
    assert table["rounds"].rule == "texts and weights of 1 rounds; of older ones summaries"
    unnamed = {path.name for path in world.state.registry.iterdir() if path.is_dir()} - set(table) - {"keys", "reserve"}
    assert unnamed == set()


def test_sums_follow_the_weights_when_no_feedback_can_come_any_more(world: World) -> None:
    registry, day, asked = Registry(world.state), 86_400.0, []
    for content in ("a", "b"):
        registry.archive(register(world.state, content))
    prune(world.conductor.deployment, RULES)

    def forget(versions: list[str]) -> list[str]:
        asked.append(versions)
        return versions

    def look(days: float) -> list[list[str]]:
        world.time.at = time.time() + days * day
        PruneSums(forget, 30 * day)(world.conductor.context)
        return asked

    assert look(29) == []
    assert look(31) == [["v3"]], "v4 has its weights still"
    (told,) = [e["details"] for e in world.conductor.deployment.audit.entries() if "sums" in e["details"]]
    assert told["sums"] == ["v3"]


def test_sums_that_redis_could_not_forget_are_asked_for_again_an_hour_later(world: World) -> None:
    Registry(world.state).archive(register(world.state, "a"))
    prune(world.conductor.deployment, RegistryConfig(keep_archived=0))
    world.time.at = time.time() + 10.0
    tried: list[list[str]] = []

    def away(versions: list[str]) -> list[str]:
        tried.append(versions)
        raise Unavailable("Redis is away")

    passed, step = world.conductor.context, PruneSums(away, 0.0)
    at = [100.0]
    passed.clock = lambda: at[0]
    for moment in (100.0, 101.0, 100.0 + 3600.0):
        at[0] = moment
        step(passed)
    assert tried == [["v3"], ["v3"]]
