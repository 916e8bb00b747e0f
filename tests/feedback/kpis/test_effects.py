"""What an exchange adds to the KPIs."""

from __future__ import annotations

from feedback.events import Kpi, Verdict
from feedback.kpis.config import KpisConfig
from feedback.kpis.effects import exchange_values, feedback_effects, verdict_effects
from feedback.store.keys import RedisKeys
from tests.feedback.factory import exchange

KEYS = RedisKeys()


def test_abnormal_means_the_server_s_fault() -> None:
    assert exchange_values(exchange(1, status=503))["abnormal_termination"] == 1
    assert exchange_values(exchange(1, finish_reason="error"))["abnormal_termination"] == 1
    assert exchange_values(exchange(1, status=429))["abnormal_termination"] == 0
    assert "latency" not in exchange_values(exchange(1, status=503))


def test_a_verdict_counts_its_similarity_and_each_check_that_ran() -> None:
    verdict = Verdict(
        id="v", session="s", at=1.0, exchange="e", teacher="t1", student="v1", similarity=0.25,
        checked=("semantic", "tone"), failed=("tone",), quality_teacher=0.75, quality_student=0.5,
    )  # fmt: skip
    commands = [(c[1].removeprefix(KEYS.kpis), c[2], c[3]) for c in verdict_effects(KEYS, verdict)]
    of_version = {field: value for group, field, value in commands if group == "version:v1" and field.endswith(":s")}
    assert of_version == {
        "similarity:s": "0.25", "hard:s": "1", "quality_gap:s": "0.25", "failed_semantic:s": "0", "failed_tone:s": "1",
    }  # fmt: skip
    assert {group for group, _, _ in commands} == {"version:v1", "arm:student", "shadow:v1:t1"}


def test_a_verdict_counts_exact_replies_and_facts_where_they_were_looked_at() -> None:
    verdict = Verdict(
        id="v", session="s", at=1.0, exchange="e", teacher="t1", student="v1", similarity=0.9, exact=False, facts=True
    )
    counted = {c[2]: c[3] for c in verdict_effects(KEYS, verdict) if c[1] == f"{KEYS.kpis}version:v1"}
    assert (counted["exact:n"], counted["exact:s"], counted["facts:s"]) == (1, "0", "1")


def test_feedback_without_a_target_counts_for_what_it_names() -> None:
    kpi = Kpi(id="k", session="s", at=1.0, kpi="rating", value=3.0, arm="student", version="v1")
    commands = feedback_effects(KEYS, KpisConfig(), kpi, 2.0)
    assert {command[1] for command in commands} == {f"{KEYS.kpis}arm:student", f"{KEYS.kpis}version:v1"}
