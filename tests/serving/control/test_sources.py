"""What the control plane reads from Redis, and that nothing is made up where there is none."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import redis
from fastapi.testclient import TestClient

from feedback.flagged.config import FlaggedConfig
from feedback.flagged.store import FlaggedStore
from feedback.kpis.config import KpisConfig
from feedback.privacy.vault import Vault
from feedback.store.config import RedisConfig
from feedback.store.connection import connect
from feedback.store.keys import RedisKeys
from serving.control import printing
from serving.control.replies.counts import KpisReply
from serving.control.sources import Sources
from tests.feedback.applying import Applier, feedback
from tests.feedback.factory import exchange
from understudy.config import Config
from understudy.errors import Unavailable


def test_without_redis_everything_says_so_and_the_canary_gets_no_kpis() -> None:
    without = Sources(Config({}), RedisConfig())
    reads = (without.pool, without.lag, lambda: without.kpis("arm"), lambda: without.exposures("a"))
    for read in (*reads, lambda: without.purge("acme", 1.0), lambda: without.request_round("why")):
        with pytest.raises(Unavailable, match=r"redis\.url"):
            read()
    assert (without.stats(), without.trial("v2"), without.p99("v2")) == (None, None, None)


def test_the_lag_is_summed_by_topic_and_unknown_until_somebody_reports(sources: Sources, redis_url: str) -> None:
    assert sources.lag() is None
    client = redis.Redis.from_url(redis_url)
    client.hset(RedisKeys("us:").lag, mapping={"exchanges:0": 2, "exchanges:1": 3, "kpis:0": 0})
    assert sources.lag() == {"exchanges": 5, "kpis": 0}


def test_the_oldest_event_s_age_and_the_rate_are_told_by_topic_as_workers_report(
    admin: TestClient, redis_url: str
) -> None:
    client = redis.Redis.from_url(redis_url)
    reported = {"exchanges:0": (1.5, 2.0), "exchanges:1": (40.0, 3.0), "kpis:0": (0.0, 0.5)}
    for place, (age, rate) in reported.items():
        told = {"oldest_seconds": age, "per_second": rate, "at": 1.0}
        client.hset(RedisKeys("us:").meters, place, json.dumps(told))
    client.hset(RedisKeys("us:").counters, "bus.lost", 7)
    bus = admin.get("/status").json()["bus"]
    assert bus["oldest_seconds"] == {"exchanges": 40.0, "kpis": 0.0}
    assert bus["per_second"] == {"exchanges": 5.0, "kpis": 0.5}
    assert bus["lost"] == 7


def test_kpis_for_the_canary_are_summaries_by_version(sources: Sources, redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    client.hset(f"{RedisKeys('us:').kpis}version:v1", mapping={"rating:n": 2, "rating:s": 6, "rating:q": 20})
    stats = sources.stats()
    assert stats is not None
    assert (stats["v1"]["rating"].n, stats["v1"]["rating"].mean) == (2, 3.0)


def test_a_canary_is_judged_by_its_users_and_by_the_stable_version_s_timings(sources: Sources, redis_url: str) -> None:
    assert (sources.trial("v2"), sources.p99("v1")) == ({}, None)
    applier = Applier(redis_url)
    applier.events([exchange(n, arm="student", version="v1", rollout="v2:0:old", seconds=0.5) for n in range(5)])
    assert sources.trial("v2") == {}  # read within the last second
    again = Sources(Config({}), RedisConfig(url=redis_url))
    assert (again.trial("v2") or {})["0"]["old"]["requests"] == 5
    assert again.p99("v1") == pytest.approx(0.5, rel=0.01)


def test_kpis_come_with_intervals_over_users_and_with_what_memory_dropped(admin: TestClient, redis_url: str) -> None:
    applier = Applier(redis_url, KpisConfig(declared=("smile",), row_bytes=1500))
    applier.events([exchange(n, arm="student", version="v1", unit=f"u{n % 12}") for n in range(30)])
    said = [feedback(n, n % 2, f"resp-{n}", kpi=kpi, at=1.0) for n in range(8) for kpi in ("click", "smile")]
    applier.events([*said, feedback(99, 1.0, "resp-99", at=1.0)])
    found = admin.get("/kpis", params={"by": "version"}).json()
    figures = found["figures"]["v1"]
    assert {"click_through_rate", "session_turns", "smile"} <= set(figures)
    assert figures["smile"]["lower"] < figures["smile"]["value"] < figures["smile"]["upper"]
    assert found["quantiles"]["v1"]["latency"]["p99"]["value"] == pytest.approx(0.5, rel=0.01)
    assert found["kpis"]["v1"]["latency"]["p99"] == found["quantiles"]["v1"]["latency"]["p99"]["value"]
    assert found["counters"]["kpi_rows_refused"] > 0
    assert found["counters"]["feedback_unknown_target"] == 1
    assert found["bytes"]["targets"] > 30 * 100
    text = printing.kpis(KpisReply.model_validate(found))
    assert "click_through_rate" in text
    assert "95 % interval" in text
    for one in (figures["smile"], found["quantiles"]["v1"]["latency"]["p99"]):
        assert f"{one['lower']:.4f} to {one['upper']:.4f}" in text
    assert "kpi_rows_refused" in text


def test_kpis_tell_what_the_guard_said_by_tenant_and_cause(admin: TestClient, redis_url: str, tmp_path: Path) -> None:
    Applier(redis_url).events([exchange(1, arm="student", version="v1")])
    keys, config = RedisKeys(), FlaggedConfig()
    kept = FlaggedStore(connect(redis_url), keys, config, Vault(tmp_path))
    assert kept.keep(exchange(2, tenant="shop", flagged=True, guard_stage="rot13", at=time.time()), time.time())
    found = admin.get("/kpis", params={"by": "arm"}).json()
    wanted = {"tenant": "shop", "verdict": "flag", "stage": "rot13", "arm": "teacher", "version": "t1", "n": 1}
    assert found["flagged"] == [wanted]
    assert "rot13" in printing.kpis(KpisReply.model_validate(found))


def test_a_round_is_asked_for_where_the_trainer_looks(sources: Sources, redis_url: str) -> None:
    sources.request_round("drift")
    assert redis.Redis.from_url(redis_url).get("us:round:request") == b"drift"
