"""A purged tenant: nothing of what its people wrote is on a disk, and nobody reads or stores it any more."""

from __future__ import annotations

import random
import time
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from ab.experiment import Experiment
from deploy.control.asked.purging import purge_tenant
from deploy.rounds.leading import stored
from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.events import Exchange, Verdict
from feedback.flagged.config import FlaggedConfig
from feedback.flagged.store import FlaggedStore
from feedback.kpis.config import KpisConfig
from feedback.kpis.effects import settings
from feedback.outbox.config import OutboxConfig
from feedback.outbox.outbox import Outbox
from feedback.pool.store import ANCHOR, Pool
from feedback.privacy.vault import Purged, Vault
from feedback.shadow.jobs import Jobs, push
from feedback.store.config import RedisConfig
from feedback.store.connection import connect
from feedback.store.keys import RedisKeys
from feedback.store.server import RedisServer
from online_distill.data.clusters import Clusters
from online_distill.data.encoding import Encoded
from online_distill.data.reservoir import Reservoir, load_reservoir
from online_distill.data.rows import Row, read_rows, write_rows
from online_distill.teacher.cache import Memory, TargetCache
from online_distill.teacher.targets import TopK, save_shard
from online_distill.teacher.texts import Text
from serving.control.sources import Sources
from tests.deploy.fleet import Time, World, actions
from tests.feedback.factory import exchange, hard
from tests.leaks import contents
from tests.waiting import eventually
from understudy.config import Config
from understudy.errors import Unavailable
from understudy.files import write_json

PLANTED = 100
WINDOW = 20
WORDS = [
    "amber",
    "bridge",
    "canyon",
    "dolphin",
    "ember",
    "forest",
    "glacier",
    "harvest",
    "island",
    "jungle",
    "kernel",
    "lagoon",
    "山谷",
    "河流",
    "灯塔",
    "麦田",
]


def planted() -> list[str]:
    chance = random.Random(5)
    return [f"{' '.join(chance.sample(WORDS, 9))} number {n}" for n in range(PLANTED)]


def tokens(text: str) -> np.ndarray:
    """A token for each character."""
    return np.array([crc32(character.encode()) >> 1 for character in text], np.int32)


def targets(n: int, text: str) -> Text:
    return Text(f"{n}/teacher", Encoded(tokens(text).tolist(), 2), 1.0, tenant="acme", at=100.0)


def on_disk(folder: Path, sentences: list[str]) -> list[str]:
    """Files under `folder` with the first `WINDOW` bytes of as many characters of a sentence, as text or `tokens`."""
    windows = [s[at : at + WINDOW] for s in sentences for at in range(0, len(s) - WINDOW)]
    begin = {raw[:WINDOW] for window in windows for raw in (window.encode(), tokens(window).tobytes())}
    return [
        str(path.relative_to(folder))
        for path, raw in contents(folder).items()
        if any(raw[at : at + WINDOW] in begin for at in range(len(raw)))
    ]


def sample(n: int, text: str, tenant: str = "acme") -> Row:
    made = hard(n, text=text, tenant=tenant, teacher_text=text, student_text=text, at=100.0)
    return Row.of(made, "hard", parent="v1")


@pytest.fixture
def outbox(world: World, own_redis: RedisServer) -> Outbox:
    bus = open_bus(BusConfig(url=own_redis.url), RedisConfig())
    made = Outbox(world.state.spool, "gateway", bus, OutboxConfig(keep_seconds=600))
    made.start()
    return made


def fill(world: World, outbox: Outbox, url: str, sentences: list[str]) -> Pool:
    """Leave the sentences wherever the product leaves texts."""
    client, keys, vault = connect(url), RedisKeys(), outbox.vault
    pool, kept = Pool(client, vault=vault), FlaggedStore(client, keys, FlaggedConfig(), vault)
    for n, text in enumerate(sentences):
        said = [{"role": "user", "content": text}]
        asked = exchange(n, tenant="acme", at=100.0, messages=said, reply=text, params={"stop": text})
        assert outbox.put(asked)
        pool.admit(hard(n, text=text, tenant="acme", at=100.0, teacher_text=text, student_text=text))
        pool.anchor(hard(n, text=text, tenant="acme", at=100.0))
        command = push(keys, asked.id, vault.seal(asked).decode(), time.time(), 600, 1000)
        client.hset(keys.payloads, asked.id, command[5])
        client.zadd(keys.jobs, {asked.id: time.time() + n})
        kept.keep(asked.model_copy(update={"flagged": True, "guard_stage": "model"}), 100.0)
    verdict = Verdict(
        id="v", session="s", at=100.0, tenant="acme", exchange="e", teacher="t1", student="v1", similarity=0.1,
        reasons=tuple(sentences[:5]),
    )  # fmt: skip
    outbox.put_durable(verdict)
    client.lpush(keys.verdicts, verdict.model_dump_json(exclude=set(Verdict.TEXT)))
    folder = world.state.rounds / "1" / "select"
    rows = [sample(n, text) for n, text in enumerate(sentences)]
    write_rows(folder / "train.jsonl", [*rows, sample(500, "what others say", "other")], vault)
    write_rows(folder / "holdout.jsonl", rows[:5])  # as a version wrote them that did not seal
    clusters = Clusters()
    for n, text in enumerate(["what others ask about", *sentences]):
        clusters.of(text, "acme" if n else "other", 100.0)
    Reservoir(clusters, rows).save(world.state.rounds / "kept" / "reservoir.jsonl", vault)
    Reservoir(clusters, rows).save(world.state.rounds / "kept" / "reservoir.damaged")
    write_json(folder / "clusters.json", {"clusters": [{"led": stored(leader, vault)} for leader in clusters.led]})
    fill_targets(world, vault, [targets(n, text) for n, text in enumerate(sentences)])
    eventually(lambda: outbox.stats()["pending"] == 0)
    return pool


def fill_targets(world: World, vault: Vault, texts: list[Text]) -> None:
    """Leave the teacher's targets of the texts in the round and among those that are kept, its tokens the texts'."""
    memory = Memory(TargetCache(world.state.rounds / "kept" / "targets", 10**6, vault), "t1", 1)
    scored, score = [], world.state.rounds / "1" / "score"
    for text in texts:
        ids = np.array(text.encoded.tokens[text.encoded.start :], np.int32)[:, None]
        top = TopK(ids, np.full(ids.shape, -1.0, np.float32))
        memory.remember(text, text.encoded, top)
        scored.append(text.scored(text.encoded, top))
    assert all(map(memory.holds, texts))
    save_shard(score / "shard-00001.targets", scored, vault)
    former = [score / "shard-00001.npz", world.state.rounds / "kept" / "targets" / "ab" / "abcd"]
    for path in former:  # as a version wrote them that did not seal
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(scored[0].tokens.tobytes())


def test_nothing_of_a_hundred_sentences_is_left_on_any_disk(
    world: World, outbox: Outbox, own_redis: RedisServer, tmp_path: Path
) -> None:
    sentences = planted()
    pool = fill(world, outbox, own_redis.url, sentences)
    kept = world.state.rounds / "kept" / "reservoir.jsonl"
    places = on_disk(tmp_path, sentences)
    assert {Path(place).name for place in places} == {"holdout.jsonl", "reservoir.damaged", "shard-00001.npz", "abcd"}
    sealed = outbox.vault.seal(exchange(1, tenant="acme", at=100.0))
    sources = Sources(Config({"redis": {"url": own_redis.url}}), RedisConfig(url=own_redis.url))
    done = purge_tenant(
        world.conductor.deployment, world.conductor.acts, "acme", 200.0, lambda: sources.purge("acme", 200.0)
    )
    assert (done.removed > 0, done.files.rounds, done.files.rows > PLANTED) == (True, (1,), True)
    connect(own_redis.url).save()
    assert on_disk(tmp_path, sentences) == []
    with pytest.raises(Purged):
        outbox.vault.open(Exchange, sealed)
    client, keys = connect(own_redis.url), RedisKeys()
    assert (client.zcard(keys.jobs), client.llen(keys.verdicts)) == (0, 0)
    assert client.keys(f"{keys.flagged}*") == []
    assert Jobs(client, keys, 1, outbox.vault, settings(keys, KpisConfig())).claim(time.time() + 1000) is None
    assert pool.size() == 0 == len(pool.sample(10, kind=ANCHOR))
    rows = read_rows(world.state.rounds / "1" / "select" / "train.jsonl", outbox.vault)
    assert [row.tenant for row in rows] == ["other"]
    again = load_reservoir(kept, vault=outbox.vault)
    assert again.rows == []
    assert [prompt for prompt in again.clusters.names().values() if prompt] == ["what others ask about"]
    outbox.put(exchange(7, tenant="acme", at=150.0))
    eventually(lambda: outbox.stats()["dropped"]["purged"] == 1)
    stored = outbox.stats()["stored"]
    outbox.put(exchange(8, tenant="acme", at=250.0))
    eventually(lambda: outbox.stats()["stored"] == stored + 1)
    assert outbox.stats()["dropped"]["purged"] == 1
    outbox.close()


def test_a_purge_that_redis_could_not_take_is_gone_on_with_and_holds_up_nothing(world: World) -> None:
    passed, away = Time(), [True]

    def in_redis(tenant: str, until: float) -> int:
        if away:
            raise Unavailable("Redis is away")
        return 3

    world.start(passed).purges.reach(in_redis)
    with pytest.raises(Unavailable, match="Redis is away"):
        world.conductor.purges.ask("acme", 200.0, "test")
    passed.at += 6
    world.conductor.acts.apply(Experiment(id="a", arms={"teacher": 1.0}), "test")
    assert [one.id for one in world.turn().experiments] == ["a"]
    assert "pool.purged" not in actions(world)
    away.clear()
    passed.at += 6
    world.turn()
    (told,) = [e["details"] for e in world.conductor.deployment.audit.entries() if e["action"] == "pool.purged"]
    assert (told["tenant"], told["removed"]) == ("acme", 3)
    assert world.conductor.deployment.state.asked == ()
