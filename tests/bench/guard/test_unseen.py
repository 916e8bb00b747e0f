"""What goes with a kind that is left out: the rows that are written to teach it."""

from __future__ import annotations

import pytest

from bench.guard.unseen import taught
from trials.guard.chinese import chinese_attacks
from trials.guard.judging import JUDGED
from trials.guard.written import written_rows

WRITTEN = written_rows()
ROWS = [*chinese_attacks("train"), *WRITTEN]


@pytest.mark.parametrize("kind", ["jailbreak", "prompt_injection", "sysprompt_extraction"])
def test_with_a_kind_goes_what_is_written_of_it_and_nothing_that_is_judged(kind: str) -> None:
    gone = [row for row, one in zip(ROWS, taught(ROWS, kind), strict=True) if one]
    assert len(gone) > 50
    assert {row.family.split(":")[1] for row in gone} == {kind}
    assert all(row.attack and row.family.startswith("made:") for row in gone)


def test_in_one_language_the_others_stay() -> None:
    gone = [row for row, one in zip(ROWS, taught(ROWS, "jailbreak", "zh"), strict=True) if one]
    assert {row.language for row in gone} == {"zh"}
    assert 0 < len(gone) < taught(ROWS, "jailbreak").sum()


def test_all_kinds_together_take_every_written_attack_that_could_help_a_judged_one() -> None:
    gone = sum(taught(WRITTEN, kind).sum() for kind in JUDGED)
    assert gone == sum(row.attack and ":harmful_request:" not in row.family for row in WRITTEN)
