"""The pool is bounded, without near-duplicates, fair between tenants and kinds, and forgets on demand."""

from __future__ import annotations

import time

import pytest

from feedback.events import HARD_KINDS
from feedback.pool.config import PoolConfig
from feedback.pool.store import ANCHOR, Pool
from feedback.store.connection import connect
from feedback.store.server import RedisServer
from tests.feedback.factory import hard
from understudy.errors import Unavailable

SAME = "我三天前买的蓝色外套到现在还没有发货，订单页面一直显示处理中，请问什么时候可以寄出？"


def pool_at(url: str, **config: object) -> Pool:
    return Pool(connect(url), config=PoolConfig.model_validate(config))


def test_a_sample_comes_back_as_it_was(redis_url: str) -> None:
    pool = pool_at(redis_url)
    given = hard(1, kinds=("logic", "nested"), teacher_text="共 128 元", lang="zh")
    assert pool.admit(given) == "admitted"
    assert pool.sample(3) == [given.model_copy(update={"seq": 1})]
    assert pool.size() == 1


def test_the_same_id_changes_nothing(redis_url: str) -> None:
    pool = pool_at(redis_url)
    assert [pool.admit(hard(1)), pool.admit(hard(1))] == ["admitted", "known"]
    assert pool.counts_by_kind()["semantic"] == 1


def test_near_duplicates_are_dropped_for_the_same_student_only(redis_url: str) -> None:
    pool = pool_at(redis_url)
    assert pool.admit(hard(1, text=SAME)) == "admitted"
    assert pool.admit(hard(2, text=SAME + "！")) == "duplicate"
    assert pool.admit(hard(3, text=SAME, tenant="other")) == "admitted"
    assert pool.admit(hard(4, text=SAME, student="v2")) == "admitted"
    assert sorted(s.exchange for s in pool.sample(9)) == ["e3", "e4"]
    assert pool.counters()["duplicate"] == 1
    assert pool.counters()["replaced"] == 1


def test_different_questions_are_not_duplicates(redis_url: str) -> None:
    pool = pool_at(redis_url)
    texts = ["退货运费谁来承担？", "Where is my parcel?", "发票可以开公司抬头吗？", "How do I change my address?"]
    assert [pool.admit(hard(n, text=text)) for n, text in enumerate(texts)] == ["admitted"] * 4


def test_a_full_pool_lets_the_oldest_go(redis_url: str) -> None:
    pool = pool_at(redis_url, capacity=5, tenant_share=1, kind_share=1)
    for n in range(9):
        pool.admit(hard(n))
    assert pool.size() == 5
    assert sorted(s.exchange for s in pool.sample(9)) == ["e4", "e5", "e6", "e7", "e8"]
    assert pool.counters()["evicted"] == 4
    assert pool.counts_by_kind()["semantic"] == 5
    assert pool.counts_by_kind(ever=True)["semantic"] == 9


def test_a_tenant_cannot_push_others_below_their_share(redis_url: str) -> None:
    pool = pool_at(redis_url, capacity=10, tenant_share=0.5, kind_share=1)
    for n in range(5):
        pool.admit(hard(n, tenant="quiet"))
    for n in range(100, 160):
        pool.admit(hard(n, tenant="loud"))
    assert pool.counts_by_tenant() == {"loud": 5, "quiet": 5}


def test_a_tenant_alone_may_fill_the_pool_and_then_makes_room(redis_url: str) -> None:
    pool = pool_at(redis_url, capacity=10, tenant_share=0.5, kind_share=1)
    for n in range(20):
        pool.admit(hard(n, tenant="loud"))
    assert pool.size() == 10
    for n in range(100, 103):
        pool.admit(hard(n, tenant="new"))
    assert pool.counts_by_tenant() == {"loud": 7, "new": 3}


def test_a_kind_keeps_to_its_share_when_the_pool_is_full(redis_url: str) -> None:
    pool = pool_at(redis_url, capacity=10, tenant_share=1, kind_share=0.5)
    for n in range(5):
        pool.admit(hard(n, kinds=("logic",)))
    for n in range(100, 130):
        pool.admit(hard(n, kinds=("semantic", "nested")))
    counts = pool.counts_by_kind()
    assert (counts["logic"], counts["semantic"], counts["nested"]) == (5, 5, 5)
    assert set(counts) == set(HARD_KINDS)


def test_sampling_keeps_to_the_shares_while_others_exist(redis_url: str) -> None:
    pool = pool_at(redis_url, tenant_share=0.5, kind_share=0.5)
    for n in range(40):
        pool.admit(hard(n, tenant="loud"))
    for n in range(100, 110):
        pool.admit(hard(n, tenant="quiet", kinds=("logic",)))
    taken = pool.sample(16, seed=3)
    assert len({s.id for s in taken}) == 16
    assert sum(s.tenant == "quiet" for s in taken) == 8
    assert len(pool.sample(45, seed=3)) == 45


def test_sampling_by_kind_and_after_a_number(redis_url: str) -> None:
    pool = pool_at(redis_url)
    for n in range(6):
        pool.admit(hard(n, kinds=("logic",) if n % 2 else ("semantic",)))
    assert {s.kinds[0] for s in pool.sample(9, kind="logic")} == {"logic"}
    assert sorted(s.seq for s in pool.sample(9, after=4)) == [5, 6]
    assert pool.last_seq() == 6
    assert pool.sample(9, kind="grammar") == []


def test_only_failed_checks_count_as_fresh(redis_url: str) -> None:
    pool = pool_at(redis_url)
    pool.admit(hard(1))
    pool.admit(hard(2, kinds=("nested",), weight=1.0))
    pool.admit(hard(3, kinds=("quality", "nested")))
    assert pool.fresh_since(0) == 2
    assert pool.fresh_since(1) == 1


def test_sampling_what_one_student_failed(redis_url: str) -> None:
    pool = pool_at(redis_url)
    for n in range(6):
        pool.admit(hard(n, student=f"v{n % 2}"))
    pool.admit(hard(9, student="v1", kinds=("nested",), weight=1.0))
    assert sorted(s.exchange for s in pool.sample(9, student="v1")) == ["e1", "e3", "e5"]
    assert [s.exchange for s in pool.sample(9, student="v1", after=4)] == ["e5"]
    assert pool.sample(9, student="v7") == []


def test_anchors_are_a_bounded_reservoir(redis_url: str) -> None:
    pool = pool_at(redis_url, anchors=20)
    for n in range(200):
        pool.anchor(hard(n, kinds=(), weight=1.0))
    kept = pool.sample(50, kind=ANCHOR)
    assert len(kept) == 20
    assert pool.anchors() == 20
    assert any(int(s.exchange[1:]) >= 100 for s in kept)
    assert any(int(s.exchange[1:]) < 100 for s in kept)
    assert pool.size() == 0


def test_purging_a_tenant_removes_all_and_keeps_late_ones_out(redis_url: str) -> None:
    pool = pool_at(redis_url)
    for n in range(4):
        pool.admit(hard(n, tenant="a" if n % 2 else "b"))
        pool.anchor(hard(10 + n, tenant="a" if n % 2 else "b", kinds=()))
    now = time.time()
    assert pool.purged() == {}
    assert pool.purge("a", now) == 4
    assert pool.purged() == {"a": pytest.approx(now, abs=0.01)}
    assert {s.tenant for s in pool.sample(9)} == {"b"}
    assert {s.tenant for s in pool.sample(9, kind=ANCHOR)} == {"b"}
    assert pool.admit(hard(50, tenant="a", at=now - 5)) == "purged"
    assert pool.admit(hard(51, tenant="a", at=now + 5)) == "admitted"


def test_a_redis_that_is_away_is_said_so(own_redis: RedisServer) -> None:
    pool = pool_at(own_redis.url)
    pool.admit(hard(1))
    own_redis.stop()
    with pytest.raises(Unavailable, match="away"):
        pool.admit(hard(2))
    own_redis.start()
    assert pool.admit(hard(2)) == "admitted"
    assert pool.size() == 2
