"""From the outbox through the bus to sums, copies and dead letters."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from feedback.bus.protocol import partition_of
from feedback.consume.loops import Worker, WorkerConfig
from feedback.dead.box import DeadLetters
from feedback.events import EXCHANGES, Exchange, Kpi
from feedback.kpis.config import KpisConfig
from feedback.kpis.effects import exchange_effects
from feedback.kpis.names import EXTERNAL_TOKENS
from feedback.rows.spilling import BEGIN
from feedback.shadow.config import ShadowConfig
from feedback.store.connection import connect
from feedback.store.keys import RedisKeys
from feedback.store.spending import utc_day
from tests.feedback.conftest import World
from tests.feedback.factory import exchange
from tests.waiting import eventually
from understudy.errors import UnderstudyError


async def test_what_must_not_be_copied_is_only_counted(world: World) -> None:
    changes = [{"flagged": True}, {"tools": True}, {"shadow": False}, {"status": 503}, {"api": "completions"}]
    for n, change in enumerate(changes):
        world.gateway.put(exchange(n, **change))
    await world.work(lambda: world.kpis.by("arm").get("teacher", {}).get("requests", {}).get("n") == 5)
    assert world.stats.waiting() == 0
    assert world.kpis.by("version")["t1"]["abnormal_termination"]["mean"] == pytest.approx(0.2)


async def test_what_an_external_teacher_costs_is_counted_by_what_gateways_say_alone(world: World) -> None:
    at = time.time()
    for n, tokens in enumerate((12, 30)):
        said = Kpi(id=f"k{n}", session=f"k{n}", at=at, kpi=EXTERNAL_TOKENS, value=tokens, version="external")
        world.gateway.put(said)
    world.gateway.put(exchange(1, version="external", at=at, prompt_tokens=5, completion_tokens=5))
    world.gateway.put(Kpi(id="k", session="s", at=at, kpi=EXTERNAL_TOKENS, value=1e6, target="resp-1"))
    spent = lambda: world.client.hget(RedisKeys("us:").spent, f"{utc_day(at)}:primary")  # noqa: E731
    requests = lambda: world.kpis.by("version").get("external", {}).get("requests", {}).get("n")  # noqa: E731
    await world.work(lambda: world.kpis.counters().get("feedback") == 1 and requests() == 1 and spent() == b"42")
    told = world.kpis.by("arm")["teacher"][EXTERNAL_TOKENS]
    assert told == {"n": 1, "mean": 1e6, "var": 0.0}, "what names a target is a client's feedback, and no cost"


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


async def test_a_dead_letter_is_whole_and_keeps_its_key_and_its_bytes(world: World) -> None:
    long = json.dumps({"session": "会话", "tenant": "acme", "reply": "长" * 60_000}, ensure_ascii=False).encode()
    for value in (long, long.replace("长".encode(), b"\xff") * 2):
        world.gateway.put_raw(EXCHANGES, "会话", value)
    await world.work(lambda: world.kpis.counters().get(f"dead_{EXCHANGES}") == 2)
    box = DeadLetters(world.bus, world.client)
    eventually(lambda: len(box.listed(EXCHANGES)) == 2)
    found = [box.show(EXCHANGES, one.letter.id) for one in box.listed(EXCHANGES)]
    assert [one.content for one in found] == [long, long.replace("长".encode(), b"\xff") * 2]
    assert {one.session for one in found} == {"会话"}
    part = partition_of("会话", 2)
    assert world.bus.lag(f"{EXCHANGES}.dlt", part, "") >= 1


async def test_an_event_larger_than_a_message_is_a_letter_in_parts(world: World) -> None:
    content = b'{"session": "s", "x": "' + b"\xff" * 900_000
    world.gateway.put_raw(EXCHANGES, "s", content)
    await world.work(lambda: world.kpis.counters().get(f"dead_{EXCHANGES}") == 1)
    box = DeadLetters(world.bus, world.client)
    eventually(lambda: [one.state for one in box.listed(EXCHANGES)] == ["waiting"])
    letter = box.listed(EXCHANGES)[0].letter
    assert letter.parts > 1
    assert box.show(EXCHANGES, letter.id).content == content


async def test_an_event_of_a_newer_program_waits_and_holds_up_its_partition_alone(world: World) -> None:
    homes = {partition_of(f"s{n}", 2): f"s{n}" for n in range(20)}
    later = exchange(1, session=homes[0]).model_dump(exclude_none=True) | {"schema_version": 4, "unheard": 1}
    world.gateway.put_raw(EXCHANGES, homes[0], json.dumps(later).encode())
    world.gateway.put(exchange(2, session=homes[0]))
    world.gateway.put(exchange(3, session=homes[1]))
    await world.work(lambda: world.kpis.by("version").get("t1", {}).get("requests", {}).get("n") == 1)
    assert f"dead_{EXCHANGES}" not in world.kpis.counters()
    assert world.bus.lag(EXCHANGES, 0, "") == 2


async def test_what_a_purged_tenant_left_on_the_bus_or_as_a_letter_has_no_effects(world: World) -> None:
    world.client.set("us:kpi:sum:version:odd", "not a hash")
    world.gateway.put(exchange(1, tenant="acme", version="odd"))
    await world.work(lambda: world.kpis.counters().get(f"dead_{EXCHANGES}") == 1)
    world.client.delete("us:kpi:sum:version:odd")
    for n, tenant in enumerate(("acme", "other"), 2):
        world.gateway.put(exchange(n, tenant=tenant))
    eventually(lambda: world.gateway.stats()["published"] == 3 and world.outbox.stats()["pending"] == 0)
    world.outbox.vault.keys.destroy("acme", time.time() + 100)
    assert len(DeadLetters(world.bus, world.client).replay(EXCHANGES).done) == 1
    await world.work(lambda: world.kpis.counters().get(f"purged_{EXCHANGES}") == 2)
    await world.work(lambda: world.kpis.by("arm").get("teacher", {}).get("requests", {}).get("n") == 1)
    assert set(world.kpis.by("version")) == {"t1"}


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
    held = [world.client.dump(key) for key in world.client.scan_iter("us:kpi:*")]
    assert not any(b"wang" in value for value in held)


async def test_early_feedback_makes_room_for_later(world: World) -> None:
    world.config = KpisConfig(early_bytes=600)
    for n in range(12):
        event = Kpi(id=f"k{n}", session="s", at=1.0, kpi="rating", value=1.0, target=f"resp-{n}")
        world.gateway.put_durable(event)
    await world.work(lambda: world.kpis.counters().get("feedback") == 12)
    assert world.kpis.held()["early"] <= 600
    dropped = world.kpis.counters()["feedback_dropped"]
    assert 0 < dropped < 12
    for n in range(12):
        world.gateway.put(exchange(n))
    await world.work(lambda: world.kpis.by("version").get("t1", {}).get("requests", {}).get("n") == 12)
    assert world.kpis.by("version")["t1"]["rating"]["n"] == 12 - dropped


async def test_an_event_that_redis_cannot_apply_is_a_dead_letter_and_holds_nothing_up(world: World) -> None:
    for n in range(3):
        world.gateway.put(exchange(n, session="s", version="odd" if n == 1 else "t1"))
    world.client.set("us:kpi:sum:version:odd", "not a hash")
    requests = lambda name: world.kpis.by("arm").get(name, {}).get("requests", {}).get("n")  # noqa: E731
    dead = f"{EXCHANGES}.dlt"
    await world.work(lambda: requests("teacher") == 2)
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


async def test_a_value_that_no_sum_can_hold_is_a_dead_letter(world: World) -> None:
    bad = b'{"id":"k","session":"s","at":1.0,"kpi":"rating","value":1e300,"target":"resp-1"}'
    world.gateway.put_raw("understudy.kpis", "s", bad)
    world.gateway.put(exchange(1))
    await world.work(lambda: world.kpis.counters().get("dead_understudy.kpis") == 1)
    await world.work(lambda: world.kpis.by("version").get("t1", {}).get("requests", {}).get("n") == 1)
    assert "rating" not in world.kpis.by("version")["t1"]


async def test_counts_that_no_engine_can_mean_are_left_out(world: World) -> None:
    for n, odd in enumerate(("1" + "0" * 400, "-5", "true", '"7"')):
        good = exchange(n).model_dump_json(exclude_none=True)
        world.gateway.put_raw(EXCHANGES, "s", f'{good[:-1]},"completion_tokens":{odd}}}'.encode())
    world.gateway.put(exchange(7, completion_tokens=7))
    await world.work(lambda: world.kpis.by("version").get("t1", {}).get("requests", {}).get("n") == 5)
    assert world.kpis.by("version")["t1"]["completion_tokens"] == {"n": 1, "mean": 7.0, "var": 0.0}


async def test_an_event_whose_effects_cannot_be_reckoned_is_a_dead_letter(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(keys: RedisKeys, given: Exchange) -> list[list[Any]]:
        if given.response_id == "resp-1":
            raise OverflowError("int too large")
        return exchange_effects(keys, given)

    monkeypatch.setattr("feedback.consume.loops.exchange_effects", faulty)
    for n in range(3):
        world.gateway.put(exchange(n, session="s"))
    await world.work(lambda: world.kpis.by("version").get("t1", {}).get("requests", {}).get("n") == 2)
    dead = f"{EXCHANGES}.dlt"
    await world.work(lambda: sum(world.bus.lag(dead, p, "") for p in range(2)) == 1)
    assert world.kpis.counters()[f"dead_{EXCHANGES}"] == 1


async def test_a_fault_of_ours_ends_the_worker_aloud(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(world.bus, connect(world.bus_url), world.outbox, world.directory, WorkerConfig())
    monkeypatch.setattr(worker.consumer, "step", lambda: 1 / 0)
    with pytest.raises(UnderstudyError, match="ZeroDivisionError"):
        await worker.run(asyncio.Event())


async def test_a_worker_spills_what_exceeds_a_tenants_bound_and_reads_it_back(world: World, tmp_path: Path) -> None:
    """Between the share of the bound at which rows are spilled and the bound itself there is room for two batches."""
    pytest.importorskip("duckdb")
    world.config, world.rows = KpisConfig(tenant_row_bytes=120_000), tmp_path / "rows"

    def sums(cell: str) -> float:
        return sum(hour[cell] for hour in world.kpis.cohorts("arm").get("teacher", {}).values())

    def room() -> bool:
        return world.kpis.held()["rows"] <= 120_000 * BEGIN

    async def come(name: str, users: range) -> None:
        before = sums("requests")
        for n in users:
            world.gateway.put(exchange(n, response_id=f"{name}-{n}", unit=f"u{n}", shadow=False))
        await world.work(lambda: sums("requests") == before + len(users) and room())

    await come("first", users=range(450))
    for start in (450, 500, 550):
        await come("first", users=range(start, start + 50))
    assert world.kpis.counters()["kpi_rows_spilled"] > 0
    assert list((tmp_path / "rows").rglob("*.parquet"))
    for start in (0, 50, 100):
        await come("again", users=range(start, start + 50))
    assert sums("users") == 600, "who came again is the same user"
    assert "kpi_rows_refused" not in world.kpis.counters()
