"""Contradictions are found, other words for the same are not taken for one."""

from __future__ import annotations

import pytest

from feedback.checks.kinds import ReplyPair
from feedback.checks.logic import Logic, conflicts
from tests.feedback.checks.labelled import rows


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
    assert Logic()(ReplyPair([], teacher, student)).failed


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
    assert not Logic()(ReplyPair([], teacher, student)).failed


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
