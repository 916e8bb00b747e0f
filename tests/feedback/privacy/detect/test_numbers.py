"""Groups of digits by their lengths, check digits and labels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.privacy.detect.finding import read
from feedback.privacy.detect.labels import Labels
from feedback.privacy.detect.numbers import CLUSTER, LEAST, RUN, crowds, numbers


def kinds(text: str) -> list[str]:
    return [found.kind for found in numbers(text, Labels(text.lower()))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("6222 0212 3456 7890 123", ["CARD"]),
        ("110105 19491231 002X", ["ID"]),
        ("415 555 2671", ["PHONE"]),
        ("4155552671", []),
        ("account 4155552671", ["ACCOUNT"]),
        ("203.0.113.45", ["IP"]),
        ("version 203.0.113.45", []),
        ("2024-05-01 2024-05-07", []),
        ("138 1234 5678, 139 1234 5678", ["PHONE", "PHONE"]),
        ("123-45-6789", ["SSN"]),
        ("W13812345678 13812345678g", []),
        ("12 345 678 910", []),
    ],
)
def test_a_number_is_what_its_shape_and_label_say(text: str, expected: list[str]) -> None:
    assert kinds(text) == expected


@pytest.mark.parametrize(
    "text", ["13812345678元", "¥13812345678", "13812345678.50", "0.13812345678", "13812345678 + 2"]
)
def test_an_amount_is_no_telephone(text: str) -> None:
    assert kinds(text) == []


def test_the_nearest_label_of_the_sentence_counts() -> None:
    assert kinds("订单13812345678，手机13912345678") == ["PHONE"]
    assert kinds("订单已发货。13912345678") == ["PHONE"]
    assert kinds("13812345678 is my order number") == []


def test_a_business_is_no_person_and_a_person_who_asks_one_is() -> None:
    assert kinds("客服电话：010-62345678") == []
    assert kinds("客服请打我电话010-62345678") == ["PHONE"]
    assert kinds("400-820-8820") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("剑桥艺术剧院的电话号码是01223503333。", []),
        ("颐和园的电话是010-62881144，门票30元", []),
        ("富驿时尚酒店（中关村店）的电话: 010-62881144", []),
        ("酒店的电话是13812345678", ["PHONE"]),
        ("出租车公司的电话是07214860547", ["PHONE"]),
        ("我妈妈公司的电话是010-62881144", ["PHONE"]),
        ("酒店订好了，电话是010-62881144", ["PHONE"]),
    ],
)
def test_a_landline_right_behind_a_place_is_the_places(text: str, expected: list[str]) -> None:
    assert kinds(text) == expected


@given(st.lists(st.sampled_from((*"12３ -.(a，~二", "34567", "  ", "😀")), max_size=24).map("".join))
def test_clusters_are_told_by_the_runs_of_digits_and_what_stands_between(text: str) -> None:
    reading = read(text)
    clusters = [[run.span() for run in RUN.finditer(found.group())] for found in CLUSTER.finditer(reading.text)]
    starts = [found.start() for found in CLUSTER.finditer(reading.text)]
    placed = [[(a + at, b + at) for a, b in runs] for at, runs in zip(starts, clusters, strict=True)]
    assert crowds(reading) == [runs for runs in placed if sum(b - a for a, b in runs) >= LEAST]
