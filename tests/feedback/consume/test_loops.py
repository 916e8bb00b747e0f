"""From the outbox through the bus and the shadow loop to verdicts, sums and the pool."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.checks.building import build
from feedback.checks.kinds import Check, Cost, Finding, ReplyPair, ReplySpan
from feedback.consume.loops import Worker, WorkerConfig
from feedback.events import EXCHANGES, Exchange, Kpi, Verdict
from feedback.kpis.config import KpisConfig
from feedback.kpis.effects import exchange_effects
from feedback.kpis.store import KpiStore
from feedback.outbox.config import OutboxConfig
from feedback.outbox.outbox import Outbox
from feedback.pool.store import ANCHOR, Pool
from feedback.shadow.config import ShadowConfig
from feedback.shadow.stats import Stats
from feedback.store.config import RedisConfig
from feedback.store.connection import connect
from feedback.store.keys import RedisKeys
from tests.feedback.factory import AWAY, REFUSED, Directory, ScriptedEngine, exchange
from tests.waiting import eventually_async
from understudy.errors import UnderstudyError


class World:
    """An outbox and a worker on one Redis."""

    def __init__(self, url: str, folder: Path) -> None:
        self.bus = open_bus(BusConfig(url=url), RedisConfig())
        self.client = connect(url)
        self.gateway = Outbox(folder, "gateway", self.bus, OutboxConfig())
        self.outbox = Outbox(folder, "worker", self.bus, OutboxConfig())
        self.directory = Directory()
        self.kpis = KpiStore(self.client)
        self.pool = Pool(self.client)
        self.stats = Stats(self.client)
        self.config = KpisConfig()
        self.checks: tuple[Check, ...] = build(ShadowConfig())
        self.gateway.start()
        self.outbox.start()

    async def work(self, until: Callable[[], bool], shadow: ShadowConfig | None = None, limit: float = 60) -> None:
        """Run a worker until the condition holds; fails after `limit` seconds."""
        config = WorkerConfig(shadow=shadow or ShadowConfig(), kpis=self.config)
        worker = Worker(self.bus, connect(self.bus_url), self.outbox, self.directory, config, self.checks)
        stop = asyncio.Event()
        task = asyncio.create_task(worker.run(stop))
        try:
            await eventually_async(until, limit)
        finally:
            stop.set()
            await task

    bus_url = ""


@pytest.fixture
def world(redis_url: str, tmp_path: Path) -> Iterator[World]:
    made = World(redis_url, tmp_path)
    made.bus_url = redis_url
    yield made
    made.gateway.close()
    made.outbox.close()


async def test_a_pair_that_contradicts_itself_becomes_a_hard_sample(world: World) -> None:
    world.directory.students[0].text = "您的订单将在 5 天内送达。"
    assert world.gateway.put(exchange(1))
    await world.work(lambda: world.pool.size() == 1)
    (sample,) = world.pool.sample(5)
    assert (sample.teacher, sample.student, sample.weight) == ("t1", "v1", 3.0)
    assert "logic" in sample.kinds
    assert sample.student_text.startswith("您的订单将在 5")
    assert sample.exchange == exchange(1).id
    assert world.pool.fresh_since(0) == 1


class Tone:
    """A fourth kind of check: asks what stands for a model whether the student shouts."""

    kind = "tone"

    def __init__(self, shouts: Callable[[str], bool]) -> None:
        self._shouts = shouts

    def __call__(self, pair: ReplyPair) -> Finding:
        failed = self._shouts(pair.student)
        spans = (ReplySpan("student", 0, len(pair.student), "in capitals"),) if failed else ()
        return Finding(self.kind, float(not failed), failed, ("shouts",) if failed else (), {}, spans, Cost(0.2, 40))


async def test_a_fourth_kind_of_check_is_counted_like_the_others(world: World) -> None:
    world.checks += (Tone(str.isupper),)
    world.directory.students[0].text = reply = "IT ARRIVES IN 3 DAYS."
    for n, text in enumerate((reply, reply, "It arrives in 3 days.")):
        world.gateway.put(exchange(n, arm="student", version="v1", reply=text))
    assert world.directory.teacher
    world.directory.teacher.text = "It arrives in 3 days."
    await world.work(lambda: len(world.stats.recent_verdicts()) == 3)
    sums = world.kpis.by("version")["v1"]
    assert {name: sums[name]["n"] for name in sums if name.startswith("failed_")} == dict.fromkeys(
        ("failed_semantic", "failed_logic", "failed_quality", "failed_tone"), 3
    )
    assert sums["failed_tone"]["mean"] == pytest.approx(2 / 3)
    assert sums["hard"]["mean"] == pytest.approx(2 / 3)
    assert world.kpis.counters()["kind_tone"] == 2
    samples = world.pool.sample(5)
    assert {(sample.kinds[0], sample.weight) for sample in samples} == {("tone", 3.0)}
    assert (world.pool.fresh_since(0), world.pool.counts_by_kind()["tone"]) == (len(samples), len(samples))


async def test_a_pair_that_says_the_same_becomes_an_anchor(world: World) -> None:
    for n in range(5):
        world.gateway.put(exchange(n))
    await world.work(lambda: world.kpis.by("version").get("v1", {}).get("similarity", {}).get("n") == 5)
    assert world.pool.size() == 0
    assert len(world.pool.sample(10, kind=ANCHOR)) == 5
    assert world.kpis.by("version")["v1"]["similarity"]["mean"] == pytest.approx(1.0)
    assert [v.student for v in world.stats.recent_verdicts(10)] == ["v1"] * 5


async def test_a_student_reply_is_compared_with_the_teacher(world: World) -> None:
    assert world.directory.teacher
    world.gateway.put(exchange(1, arm="student", version="v1", reply="不知道"))
    await world.work(lambda: world.pool.size() == 1)
    assert len(world.directory.teacher.asked) == 1
    assert world.directory.students[0].asked == []


async def test_a_redacted_exchange_asks_both_arms_on_the_surrogates(world: World) -> None:
    message = {"role": "user", "content": "我的邮箱是 wang@example.cn，请把发票发给我"}
    world.gateway.put(exchange(1, messages=[message], reply="已发送到 wang@example.cn"))
    await world.work(lambda: len(world.stats.recent_verdicts()) == 1)
    assert world.directory.teacher
    for engine in (world.directory.teacher, world.directory.students[0]):
        assert engine.asked[0]["messages"][0]["content"] == "我的邮箱是 <EMAIL_1>，请把发票发给我"


async def test_sampled_replies_are_not_compared(world: World) -> None:
    world.gateway.put(exchange(1, params={"temperature": 0.9}, reply="something at random"))
    await world.work(lambda: len(world.stats.recent_verdicts()) == 1)
    assert world.stats.recent_verdicts()[0].similarity == pytest.approx(1.0)


async def test_what_must_not_be_copied_is_only_counted(world: World) -> None:
    changes = [{"flagged": True}, {"tools": True}, {"shadow": False}, {"status": 503}, {"api": "completions"}]
    for n, change in enumerate(changes):
        world.gateway.put(exchange(n, **change))
    await world.work(lambda: world.kpis.by("arm").get("teacher", {}).get("requests", {}).get("n") == 5)
    assert world.stats.waiting() == 0
    assert world.kpis.by("version")["t1"]["abnormal_termination"]["mean"] == pytest.approx(0.2)


async def test_a_candidate_gets_a_share_of_the_copies(world: World) -> None:
    world.directory.students.append(ScriptedEngine("v2"))
    world.directory.candidate = "v2"
    for n in range(30):
        world.gateway.put(exchange(n))
    await world.work(lambda: len(world.stats.recent_verdicts(50)) == 30, ShadowConfig(concurrency=8))
    versions = [v.student for v in world.stats.recent_verdicts(50)]
    assert 5 <= versions.count("v2") <= 25
    assert world.kpis.by("version")["v2"]["similarity"]["n"] == versions.count("v2")


async def test_an_engine_that_is_away_is_asked_again(world: World) -> None:
    world.directory.students[0].fail = [AWAY]
    world.gateway.put(exchange(1))
    await world.work(lambda: len(world.stats.recent_verdicts()) == 1)
    assert len(world.directory.students[0].asked) == 2


async def test_copies_are_dropped_and_counted_at_their_deadline(world: World) -> None:
    world.directory.students[0].busy = 99
    world.gateway.put(exchange(1))
    shadow = ShadowConfig(deadline=0.4)
    await world.work(lambda: world.kpis.counters().get("dropped_deadline") == 1, shadow)
    assert world.stats.waiting() == 0


async def test_a_refused_copy_is_dropped_and_counted(world: World) -> None:
    world.directory.students[0].fail = [REFUSED]
    world.gateway.put(exchange(1))
    await world.work(lambda: world.kpis.counters().get("dropped_refused") == 1)
    assert world.stats.waiting() == 0


async def test_a_full_queue_drops_and_counts(world: World) -> None:
    world.directory.students[0].busy = 99
    for n in range(20):
        world.gateway.put(exchange(n))
    shadow = ShadowConfig(queue=5)
    await world.work(lambda: world.kpis.counters().get("queue_full") == 15, shadow)
    assert world.stats.waiting() == 5


async def test_what_cannot_be_read_goes_to_the_dead_letters(world: World) -> None:
    world.gateway.put_raw(EXCHANGES, "s", "不是 JSON".encode())
    world.gateway.put(exchange(1))
    dead = f"{EXCHANGES}.dlt"
    await world.work(
        lambda: sum(world.bus.lag(dead, p, "") for p in range(2)) == 1 and len(world.stats.recent_verdicts()) == 1
    )
    assert world.kpis.counters()[f"dead_{EXCHANGES}"] == 1


async def test_feedback_joins_its_exchange_before_or_after(world: World) -> None:
    def rate(n: int, value: float, tenant: str = "default") -> None:
        event = Kpi(id=f"k{time.time()}", session="s", tenant=tenant, at=time.time(), kpi="rating", value=value,
                    target=f"resp-{n}")  # fmt: skip
        world.gateway.put_durable(event)

    rate(1, 4.0)
    await world.work(lambda: world.kpis.counters().get("feedback_unknown_target") == 1)
    world.gateway.put(exchange(1))
    await world.work(lambda: world.kpis.by("version").get("t1", {}).get("rating", {}).get("n") == 1)
    rate(1, 2.0)
    rate(1, 9.0, tenant="other")
    await world.work(lambda: world.kpis.counters().get("feedback") == 3)
    assert world.kpis.by("version")["t1"]["rating"] == {"n": 1, "mean": 2.0, "var": 0.0}


async def test_feedback_is_joined_for_thirty_days(world: World) -> None:
    now, day = time.time(), 86_400
    for n, days in ((1, 29), (2, 31)):
        world.gateway.put(exchange(n, at=now - days * day))
    await world.work(lambda: world.kpis.by("version").get("t1", {}).get("requests", {}).get("n") == 2)
    for n in (1, 2):
        world.gateway.put_durable(Kpi(id=f"k{n}", session="s", at=now, kpi="rating", value=n, target=f"resp-{n}"))
    await world.work(lambda: world.kpis.counters().get("feedback") == 2)
    assert world.kpis.by("version")["t1"]["rating"] == {"n": 1, "mean": 1.0, "var": 0.0}
    assert world.kpis.counters()["feedback_unknown_target"] == 1


async def test_feedback_on_a_session_that_is_an_address_is_joined_without_it(world: World) -> None:
    session = "wang@example.cn"
    world.gateway.put(exchange(1, session=session))
    await world.work(lambda: world.kpis.by("version").get("t1", {}).get("requests", {}).get("n") == 1)
    rating = Kpi(id="k", session=session, at=1.0, kpi="rating", value=5.0, target=f"session:{session}")
    world.gateway.put_durable(rating)
    await world.work(lambda: world.kpis.by("version")["t1"].get("rating", {}).get("n") == 1)
    assert b"wang" not in b"".join(world.client.hkeys("us:kpi:targets"))


async def test_early_feedback_makes_room_for_later(world: World) -> None:
    world.config = KpisConfig(targets=3)
    for n in range(5):
        event = Kpi(id=f"k{n}", session="s", at=1.0, kpi="rating", value=float(n), target=f"resp-{n}")
        world.gateway.put_durable(event)
    await world.work(lambda: world.kpis.counters().get("feedback") == 5)
    assert world.kpis.counters()["feedback_dropped"] == 2
    for n in (0, 4):
        world.gateway.put(exchange(n))
    await world.work(lambda: world.kpis.by("version").get("t1", {}).get("requests", {}).get("n") == 2)
    assert world.kpis.by("version")["t1"]["rating"] == {"n": 1, "mean": 4.0, "var": 0.0}


async def test_an_event_that_redis_cannot_apply_is_a_dead_letter_and_holds_nothing_up(world: World) -> None:
    for n in range(3):
        world.gateway.put(exchange(n, session="s", version="odd" if n == 1 else "t1"))
    world.client.set("us:kpi:sum:version:odd", "not a hash")
    requests = lambda name: world.kpis.by("arm").get(name, {}).get("requests", {}).get("n")  # noqa: E731
    dead = f"{EXCHANGES}.dlt"
    await world.work(lambda: requests("teacher") == 3)
    await world.work(lambda: sum(world.bus.lag(dead, p, "") for p in range(2)) == 1)
    letters = [json.loads(e.value) for p in range(2) for e in world.bus.read(dead, p, "", 9)]
    assert [(letter["number"], "WRONGTYPE" in letter["error"]) for letter in letters] == [(2, True)]
    assert world.kpis.counters()[f"dead_{EXCHANGES}"] == 1
    world.client.delete("us:kpi:sum:version:odd")
    assert world.kpis.by("version")["t1"]["requests"]["n"] == 2


async def test_experiment_arms_are_counted(world: World) -> None:
    for n in range(6):
        world.gateway.put(exchange(n, experiment="exp", arm="teacher" if n % 2 else "student", version="v1"))
    await world.work(lambda: sum(a["exposures"] for a in world.kpis.exposures("exp").values()) == 6)
    assert world.kpis.exposures("exp")["teacher"] == {"exposures": 3, "units": 3}
    assert set(world.kpis.by("experiment")) == {"exp:student", "exp:teacher"}


async def test_records_reach_their_topics(world: World) -> None:
    world.directory.students[0].text = "no"
    world.gateway.put(exchange(1))

    def verdicts() -> list[Verdict]:
        rows = [e for p in range(2) for e in world.bus.read("understudy.verdicts", p, "", 9)]
        return [Verdict.model_validate_json(e.value) for e in rows]

    await world.work(lambda: len(verdicts()) == 1)
    assert "semantic" in verdicts()[0].failed


async def test_a_value_that_no_sum_can_hold_is_a_dead_letter(world: World) -> None:
    bad = b'{"id":"k","session":"s","at":1.0,"kpi":"rating","value":1e300,"target":"resp-1"}'
    world.gateway.put_raw("understudy.kpis", "s", bad)
    world.gateway.put(exchange(1))
    await world.work(lambda: world.kpis.counters().get("dead_understudy.kpis") == 1)
    await world.work(lambda: world.kpis.by("version").get("t1", {}).get("requests", {}).get("n") == 1)
    assert "rating" not in world.kpis.by("version")["t1"]


async def test_counts_that_no_engine_can_mean_are_left_out(world: World) -> None:
    good = exchange(1).model_dump_json(exclude_none=True)
    for odd in ("1" + "0" * 400, "-5", "true", '"7"'):
        world.gateway.put_raw(EXCHANGES, "s", f'{good[:-1]},"completion_tokens":{odd}}}'.encode())
    world.gateway.put(exchange(2, completion_tokens=7))
    await world.work(lambda: world.kpis.by("version").get("t1", {}).get("requests", {}).get("n") == 5)
    assert world.kpis.by("version")["t1"]["completion_tokens"] == {"n": 1, "mean": 7.0, "var": 0.0}


async def test_an_event_whose_effects_cannot_be_reckoned_is_a_dead_letter(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(keys: RedisKeys, config: KpisConfig, given: Exchange, now: float) -> list[list[Any]]:
        if given.response_id == "resp-1":
            raise OverflowError("int too large")
        return exchange_effects(keys, config, given, now)

    monkeypatch.setattr("feedback.consume.loops.exchange_effects", faulty)
    for n in range(3):
        world.gateway.put(exchange(n, session="s"))
    await world.work(lambda: world.kpis.by("version").get("t1", {}).get("requests", {}).get("n") == 2)
    dead = f"{EXCHANGES}.dlt"
    await world.work(lambda: sum(world.bus.lag(dead, p, "") for p in range(2)) == 1)
    assert world.kpis.counters()[f"dead_{EXCHANGES}"] == 1


async def test_a_fault_of_ours_ends_the_worker_aloud(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(world.bus, connect(world.bus_url), world.outbox, world.directory, WorkerConfig())
    monkeypatch.setattr(worker._consumer, "step", lambda: 1 / 0)
    with pytest.raises(UnderstudyError, match="ZeroDivisionError"):
        await worker.run(asyncio.Event())
