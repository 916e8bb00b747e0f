"""What a reply must state is found as a whole, whatever its spacing, case or width of characters."""

from __future__ import annotations

import pytest

from serving.up.report.demands import parts, states, states_all


@pytest.mark.parametrize(
    ("reply", "fact", "held"),
    [
        ("It arrives on MAY 7.", "May 7", True),
        ("It arrives on May 17.", "May 7", False),
        ("共３２元。", "32元", True),
        ("Pay 2.17 dollars", "17", False),
        ("Pay 1,750 dollars", "1", False),
        ("a refundable fee", "refund", False),
        ("GC - 41 is yours", "GC-41", True),
    ],
)
def test_a_fact_counts_only_as_a_whole(reply: str, fact: str, held: bool) -> None:
    assert states(reply, fact) is held


def test_every_fact_must_be_stated() -> None:
    assert states_all("32元，3年", ("32元", "3年"))
    assert not states_all("32元", ("32元", "3年"))
    assert states_all("anything", ())


def test_each_token_is_of_a_fact_that_was_copied_or_computed_or_it_is_wording() -> None:
    tokens = ["Your", " order", " CK", "12", " costs", " 3", "2", ".50", " in", " all", ".", "<|end|>"]
    found = parts(tokens, ["CK12", "32.50"], "What does order ck12 cost with 30 and 2.50?")
    assert [part for part in found if part != "wording"] == ["copied"] * 2 + ["computed"] * 3
    assert [place for place, part in enumerate(found) if part != "wording"] == [2, 3, 5, 6, 7]
    chinese = parts(["订单", "共", "３", "2", "元", "。"], ["32元"], "订单一共多少钱?")
    assert chinese == ("wording", "wording", "computed", "computed", "computed", "wording")
    assert parts(["It", " is", " 175", "."], ["17"], "17?") == ("wording",) * 4
    assert parts([], ["17"], "") == ()
