"""Sums add up to the statistics of the values, quantiles are near, and copies are chosen by hash."""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.config import ShadowConfig
from feedback.kpis.store import KpiStore, bucket, exchange_values, quantile, sums
from feedback.shadow.jobs import ATTEMPTS, Jobs, push
from feedback.shadow.pairing import Arms, comparable_texts, plan, wanted
from feedback.store.connection import connect
from feedback.store.keys import Keys
from feedback.store.scripts import source
from feedback.texts import language, tokens
from tests.feedback.factory import Directory, ScriptedEngine, exchange

KEYS = Keys()


def test_summaries_are_the_statistics_of_the_values(redis_url: str) -> None:
    client = connect(redis_url)
    values = [0.25, 1.5, 2.0, 4.75]
    for value in values:
        for command in sums(KEYS, ["version:v1", "arm:student"], {"agreement": value}):
            client.execute_command(*command)
    found = KpiStore(client).by("version")["v1"]["agreement"]
    assert found["n"] == 4
    assert found["mean"] == pytest.approx(statistics.mean(values))
    assert found["var"] == pytest.approx(statistics.variance(values))
    assert set(KpiStore(client).by("arm")) == {"student"}


@given(st.lists(st.floats(0.001, 100), min_size=1, max_size=200))
def test_quantiles_are_within_a_bucket(values: list[float]) -> None:
    counts: dict[int, int] = {}
    for value in values:
        counts[bucket(value)] = counts.get(bucket(value), 0) + 1
    middle = sorted(values)[max(0, -(-len(values) // 2) - 1)]
    assert quantile(counts, 0.5) == pytest.approx(middle, rel=0.1)


def test_abnormal_means_the_server_s_fault() -> None:
    assert exchange_values(exchange(1, status=503))["abnormal_termination"] == 1
    assert exchange_values(exchange(1, finish_reason="error"))["abnormal_termination"] == 1
    assert exchange_values(exchange(1, status=429))["abnormal_termination"] == 0
    assert "latency" not in exchange_values(exchange(1, status=503))


@given(st.floats(0, 1))
def test_the_share_of_copies_is_the_rate(rate: float) -> None:
    arms = Arms(to_student=rate)
    chosen = sum(wanted(exchange(n), arms) for n in range(400))
    assert abs(chosen / 400 - rate) < 0.1


def test_an_experiment_brings_its_own_rate() -> None:
    arms = Arms(to_student=0.0, experiments={"exp": 1.0})
    assert wanted(exchange(1, experiment="exp"), arms)
    assert not wanted(exchange(1), arms)


def test_a_student_reply_is_paired_with_its_own_version() -> None:
    directory = Directory(students=[ScriptedEngine("v1"), ScriptedEngine("v2")], candidate="v2")
    arms = directory.arms()
    assert arms
    made = plan(exchange(1, arm="student", version="v2", redacted=True), arms, ShadowConfig())
    assert made
    assert made.student
    assert made.student.version == "v2"


@pytest.mark.parametrize(
    ("params", "tokens", "anew"),
    [
        ({"temperature": "0.0", "max_tokens": "12.0"}, 12, False),
        ({"temperature": "0.5", "max_completion_tokens": 7.0}, 7, True),
        ({"temperature": {}, "max_tokens": "many"}, 128, True),
        ({"temperature": "nan", "max_tokens": 10**400}, 128, True),
        ({"temperature": 0, "max_tokens": True}, 1, False),
    ],
)
def test_parameters_are_read_as_an_engine_reads_them(params: dict[str, Any], tokens: int, anew: bool) -> None:
    arms = Directory().arms()
    assert arms
    made = plan(exchange(1, params=params), arms, ShadowConfig())
    assert made
    assert (made.max_tokens, made.teacher is not None) == (tokens, anew)


def test_nobody_to_ask_means_no_plan() -> None:
    assert plan(exchange(1), Arms(), ShadowConfig()) is None
    assert plan(exchange(1, arm="student"), Arms(), ShadowConfig()) is None


def test_limits_and_stops_of_the_request_are_kept() -> None:
    arms = Directory().arms()
    assert arms
    made = plan(exchange(1, params={"temperature": 0, "max_tokens": 9999, "stop": ["。"]}), arms, ShadowConfig())
    assert made
    assert (made.max_tokens, made.sampling) == (128, {"stop": ["。"]})


def test_replies_cut_by_their_limit_are_compared_at_one_length() -> None:
    assert comparable_texts("一二三四", "一二", cut=True) == ("一二", "一二")
    assert comparable_texts("一二三四", "一二", cut=False) == ("一二三四", "一二")


def test_a_job_whose_worker_died_is_taken_again_and_given_up_at_last(redis_url: str) -> None:
    client = connect(redis_url)
    command = push(KEYS, exchange(1), time.time(), 5.0, 10)
    apply = client.register_script(source("effects"))
    client.set("lease", "me")
    apply(["lease", "cursors", "applied"], ["me", "f", '[["1", "s", 1, [' + json.dumps(command) + "]]]"])
    jobs = Jobs(client, KEYS, lease=10)
    now = time.time()
    first = jobs.claim(now)
    assert first
    assert first.exchange == exchange(1, at=first.exchange.at)
    assert jobs.claim(now + 1) is None
    again = jobs.claim(now + 11)
    assert again
    assert again.until > now + 11
    assert jobs.finish(first.id, [["INCR", "done"]])
    assert not jobs.finish(first.id, [["INCR", "done"]])
    assert client.get("done") == b"1"
    assert jobs.waiting() == 0
    apply(["lease", "cursors", "applied"], ["me", "f", '[["2", "s", 2, [' + json.dumps(command) + "]]]"])
    for attempt in range(ATTEMPTS + 1):
        jobs.claim(now + 100 * (attempt + 1))
    assert jobs.waiting() == 0
    assert KpiStore(client).counters()["dropped_given_up"] == 1


def test_text_is_cut_into_words_and_characters() -> None:
    assert tokens("订单 A12 共 ￥1,250.50！") == ["订", "单", "a", "12", "共", "1,250.50"]
    assert language("你好，我的 order 到了吗") == "zh"
    assert language("where is 快递") == "en"
