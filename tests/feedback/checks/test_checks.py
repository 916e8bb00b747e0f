"""The checks tell agreement from contradiction, on chosen pairs and on labelled data."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.checks import CHECKS, LONGEST, ReplyPair, run_checks
from feedback.checks.facts import PATTERNS, facts, number
from feedback.checks.logic import conflicts
from feedback.checks.quality import score
from feedback.checks.semantic import agreement
from feedback.shadow.config import ShadowConfig
from tests.feedback.linear import expect_linear
from tests.shared_data import data_file

CONFIG = ShadowConfig()


def findings(teacher: str, student: str) -> dict[str, bool]:
    return {kind: f.failed for kind, f in run_checks(ReplyPair([], teacher, student), CONFIG).items()}


def auc(positive: list[float], negative: list[float]) -> float:
    """Chance that a positive scores above a negative, ties half."""
    ranked = sorted([(s, 1) for s in positive] + [(s, 0) for s in negative])
    total, index = 0.0, 0
    while index < len(ranked):
        end = index
        while end < len(ranked) and ranked[end][0] == ranked[index][0]:
            end += 1
        total += sum(label for _, label in ranked[index:end]) * (index + end + 1) / 2
        index = end
    return (total - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative))


def rows(name: str, step: int) -> Iterator[dict[str, Any]]:
    file = data_file(f"checks/{name}")
    with gzip.open(file, "rt", encoding="utf-8") if name.endswith(".gz") else file.open(encoding="utf-8") as lines:
        for index, line in enumerate(lines):
            if index % step == 0:
                yield json.loads(line)


@pytest.mark.parametrize("text", ["您的订单将在 3 天内送达。", "Your refund of $12.50 arrives by March 5."])
def test_the_same_reply_passes_every_check(text: str) -> None:
    assert findings(text, text) == {"semantic": False, "logic": False, "quality": False}


@pytest.mark.parametrize(
    ("teacher", "student"),
    [
        ("您的订单将在 3 天内送达。", "您的订单将在 5 天内送达。"),
        ("退款三个工作日到账", "退款7个工作日到账"),
        ("The total is $12.50.", "The total is 15 dollars."),
        ("It arrives on March 5.", "It arrives on 6 March."),
        ("请在 2024-03-05 前寄回", "请在3月6日前寄回"),
        ("We open at 9:00 am.", "We open at 9:00 pm."),
        ("周三送达", "星期五送达"),
        ("You can return worn shoes.", "You cannot return worn shoes."),
        ("这件商品可以退货", "这件商品不可以退货"),
        ("打八折", "打9折"),
    ],
)
def test_contradictions_fail_the_logic_check(teacher: str, student: str) -> None:
    assert findings(teacher, student)["logic"]


@pytest.mark.parametrize(
    ("teacher", "student"),
    [
        ("It takes three days.", "It will take 3 days."),
        ("2024年3月5日送达", "3月5号送到"),
        ("The total is $1,250.00", "The total: 1250 dollars"),
        ("We open at 9:00 am", "9:00 is when we open"),
        ("退款会原路退回", "好的，退款将原路返回您的账户"),
        ("Refunds take 5 days.", "Refunds are quick."),
    ],
)
def test_other_words_for_the_same_facts_pass_the_logic_check(teacher: str, student: str) -> None:
    assert not findings(teacher, student)["logic"]


def test_other_answers_fail_the_semantic_check() -> None:
    assert findings("您的订单将在 3 天内送达。", "请提供您的邮箱地址。")["semantic"]
    assert findings("Your order arrives on Monday.", "")["semantic"]


def test_a_rude_or_empty_turn_fails_the_quality_check() -> None:
    teacher = "您好，很抱歉给您带来不便，您的订单预计明天送达，请问还有什么可以帮您？"
    assert findings(teacher, "不知道")["quality"]
    assert not findings(teacher, "您好，抱歉，您的订单预计明天送达，请问还需要什么帮助吗？")["quality"]


def test_numbers_are_read_in_digits_and_words() -> None:
    assert [number(t) for t in ("12.5", "1,250", "three", "三", "十二", "两百零五")] == [12.5, 1250, 3, 3, 12, 205]
    assert facts("满200元打八折，3天内有效") == {"money": {"200"}, "discount": {"8"}, "days": {"3"}}


@given(st.text(max_size=120), st.text(max_size=120))
def test_checks_take_any_text(teacher: str, student: str) -> None:
    for name, check in CHECKS.items():
        finding = check(ReplyPair([], teacher, student), CONFIG)
        assert finding.kind == name
        assert 0 <= finding.score <= 1


@given(st.text(max_size=120), st.text(max_size=120))
def test_agreement_is_symmetric_and_full_for_the_same(one: str, other: str) -> None:
    assert agreement(one, other) == pytest.approx(agreement(other, one))
    assert agreement(one, one) == pytest.approx(1.0)


def test_labelled_pairs_rank_above_chance() -> None:
    """On graded similarity; word-swap sets such as PAWS and HANS are beyond a check that counts words."""
    by_lang: dict[str, tuple[list[float], list[float]]] = {"en": ([], []), "zh": ([], [])}
    for row in rows("pairs.jsonl", 3):
        label = row["label"]
        if "STS" not in row["source"] and row["source"] != "SICK":
            continue
        if isinstance(label, float | int) and row["lang"] in by_lang and (label >= 0.8 or label <= 0.2):
            by_lang[row["lang"]][label <= 0.2].append(agreement(row["a"], row["b"]))
    for lang, (alike, unlike) in by_lang.items():
        value = auc(alike, unlike)
        print(f"semantic {lang}: AUC {value:.3f} on {len(alike)} alike, {len(unlike)} unlike")
        assert value > 0.8


def test_contradictions_in_the_data_are_found_more_often_than_elsewhere() -> None:
    hits = {True: [0, 0], False: [0, 0]}
    for row in rows("contradictions.jsonl.gz", 3):
        label = row.get("label")
        texts = [row[k] for k in ("a", "b") if isinstance(row.get(k), str)]
        if len(texts) != 2 or label is None:
            continue
        bad = label in ("contradict", "contradiction", True, 1)
        hits[bad][0] += bool(conflicts(*texts)[0])
        hits[bad][1] += 1
    recall, alarms = hits[True][0] / hits[True][1], hits[False][0] / hits[False][1]
    print(f"logic: found {recall:.2f} of {hits[True][1]} contradictions, {alarms:.2f} of {hits[False][1]} others")
    assert recall > alarms


def test_quality_is_in_range_and_prefers_help() -> None:
    assert score("") == 0.0
    assert score("Sure, your refund of $20 was sent today. Anything else?") > score("no") > 0


@pytest.mark.parametrize("unit", dict(PATTERNS))
def test_facts_are_found_in_time_that_grows_with_the_text_alone(unit: str) -> None:
    parts = ("1", "1,111", "1.1", "1. ", "一", "百分之", "one ", "$1,", ",111")
    for pattern in (pattern for name, pattern in PATTERNS if name == unit):
        expect_linear(pattern.findall, parts, ("", "1", "$"))


def test_numbers_that_are_no_facts_leave_those_beside_them() -> None:
    assert facts("1" * 16 + " days, 3 days, 12,345.5 yuan, v1.2.3 items, 我买了，3件") == {
        "days": {"3"}, "money": {"12345.5"}, "items": {"3"},
    }  # fmt: skip


def test_replies_are_compared_to_a_length() -> None:
    head = "The order is on its way to you. " * (LONGEST // 30)
    assert findings(head + "It arrives in 3 days.", head + "It arrives in 5 days.")["logic"] is False
