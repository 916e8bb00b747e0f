"""When a round begins."""

from __future__ import annotations

import pytest

from online_distill.role.trigger import Situation, reason_to_begin


@pytest.mark.parametrize(
    ("now", "begins"),
    [
        (Situation(fresh=29, requested=None, frozen=False, parent="v1"), False),
        (Situation(fresh=30, requested=None, frozen=False, parent="v1"), True),
        (Situation(fresh=0, requested="operator", frozen=False, parent="v1"), True),
        (Situation(fresh=99, requested="operator", frozen=True, parent="v1"), False),
        (Situation(fresh=99, requested=None, frozen=False, parent=None), False),
    ],
)
def test_a_round_begins_for_a_reason(now: Situation, begins: bool) -> None:
    assert (reason_to_begin(now, min_fresh=30) is not None) == begins
