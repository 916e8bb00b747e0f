"""The rows that are written to teach: many, as they are named, and apart from the rows that only judge."""

from __future__ import annotations

import random
from collections import Counter

from serving.guard.folding import fold
from trials.guard.chinese import chinese_attacks, chinese_benign, told
from trials.guard.groups import groups
from trials.guard.judging import JUDGED, left_out_families
from trials.guard.rows import GuardRow
from trials.guard.training import weight
from trials.guard.written import written, written_rows

ROWS = written_rows()


def test_three_languages_have_attacks_and_harmless_turns_with_the_same_words() -> None:
    count = Counter((row.label, row.language) for row in ROWS)
    assert set(count) == {(label, spoken) for label in ("attack", "benign") for spoken in ("en", "de", "zh")}
    assert min(count.values()) >= 30
    assert sum(row.attack for row in ROWS) >= 1000


def test_no_gap_is_left_and_no_text_comes_twice() -> None:
    assert not [row.text for row in ROWS if "{" in row.text or "}" in row.text]
    assert len({row.text for row in ROWS}) == len(ROWS)


def test_every_wording_has_a_gap_that_it_fills() -> None:
    held = told("written.json")
    templates = [one for part in (held["attacks"], held["benign"]) for some in part.values() for one in some]
    assert [name for name in held["wordings"] if not any("{" + name + "}" in one for one in templates)] == []


def test_they_are_the_same_every_time() -> None:
    assert written_rows() == ROWS


def test_they_teach_and_are_of_no_family_that_is_judged() -> None:
    assert all(weight(row) > 0 and written(row) for row in ROWS)
    assert left_out_families(ROWS) == {}
    assert {row.family.split(":")[1] for row in ROWS if row.attack} < {*JUDGED, "harmful_request"}


def test_none_is_alike_to_a_chinese_row_that_only_judges() -> None:
    judged = [*chinese_attacks("judge"), *chinese_benign("judge")]
    spoken = [row for row in ROWS if row.language == "zh"]
    both: list[GuardRow] = [*judged, *spoken]
    group = groups(both, [fold(row.text).text for row in both])
    assert not {*group[: len(judged)]} & {*group[len(judged) :]}


def test_a_row_that_is_close_to_one_of_them_would_be_seen() -> None:
    row = random.Random(1).choice([row for row in ROWS if len(row.text) > 60])
    near = GuardRow(row.text + "!", "attack", "jailbreak:other", row.language)
    group = groups([near, row], [fold(near.text).text, fold(row.text).text])
    assert group[0] == group[1]
