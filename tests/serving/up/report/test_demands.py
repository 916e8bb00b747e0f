"""What a reply must state is found as a whole, whatever its spacing, case or width of characters."""

from __future__ import annotations

import pytest

from serving.up.report.demands import states, states_all


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
