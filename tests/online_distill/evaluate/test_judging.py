"""Parent and candidate on the same held-out rows, row by row."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import torch

from deploy.life.evaluation import JudgedReply
from feedback.privacy.vault import Vault
from online_distill.data.encoding import Encoder
from online_distill.data.rows import Row
from online_distill.evaluate.judging import MOST_LOST, judge, reply_judged, row_key
from tests.online_distill.world import TOKENIZER, greedy, make_model, make_samples

CPU = torch.device("cpu")


def test_judging_gives_rows_and_means_by_language(teacher_folder: Path, student: Path) -> None:
    rows = [Row.of(s, "hard", parent="v1") for s in make_samples(6)] + [
        Row.of(s, "anchor", parent="v1") for s in make_samples(4, start=900)
    ]
    found, _ = judge(rows, teacher_folder, student, max_length=512, device=CPU)
    assert (len(found.of("hard")), len(found.of("general"))) == (6, 4)
    assert found.summary["hard/zh"]["n"] == 3
    assert found.summary["hard"]["exact"] == {"parent": 0.0, "candidate": 0.0}
    assert set(found.summary["hard"]) == {"n", "parent", "candidate", "exact", "facts", "tokens"}
    assert set(found.summary["general"]["tokens"]) == {"wording", "copied"}  # the number of the order is copied
    tokens = [found.summary["hard"]["tokens"][part]["n"] for part in ("wording", "copied")]
    assert sum(tokens) > 6 * 5
    assert {row.kind for row in found.rows} == {"en", "zh"}
    assert all(0 <= row.parent.agreement <= 1 for row in found.rows)


def test_a_row_is_judged_with_its_kind(teacher_folder: Path, student: Path) -> None:
    row = Row.of(make_samples(1)[0], "anchor", parent="v1").model_copy(update={"cluster": "c7"})
    found, _ = judge([row], teacher_folder, student, max_length=512, device=CPU)
    assert found.rows[0].kind == "c7"


def test_a_prompt_that_is_sampled_again_has_the_key_that_it_had(teacher_folder: Path, student: Path) -> None:
    row, other = (Row.of(sample, "anchor", parent="v1") for sample in make_samples(2))
    again = row.model_copy(update={"id": "later", "exchange": "later"})
    found, _ = judge([row, other, again], teacher_folder, student, max_length=512, device=CPU)
    assert found.rows[0].key == found.rows[2].key != found.rows[1].key


def test_a_row_is_found_again_by_its_prompt_and_the_teachers_reply(tmp_path: Path) -> None:
    """After an upgrade the same prompt has another reply: what a version got right of the former one says nothing."""
    row = Row.of(make_samples(1)[0], "anchor", parent="v1")
    again = row.model_copy(update={"id": "other", "exchange": "other"})
    upgraded = row.model_copy(update={"teacher": "t2", "teacher_text": "On Monday."})
    assert row_key(row) == row_key(again) != row_key(upgraded)
    vault = Vault(tmp_path)
    assert row_key(row, vault) == row_key(again, vault)
    assert len({row_key(row), row_key(row, vault), row_key(upgraded, vault), row_key(row, Vault(tmp_path / "b"))}) == 4


def test_a_row_that_is_too_long_is_judged_on_neither_side(teacher_folder: Path, student: Path) -> None:
    long = Row.of(make_samples(1)[0], "hard", parent="v1").model_copy(update={"teacher_text": "so " * 300})
    found, _ = judge([long], teacher_folder, student, max_length=60, device=CPU)
    assert (found.rows, found.summary) == ((), {})


def test_what_was_lost_is_kept_with_its_words_up_to_a_bound_and_lost_facts_first(
    tmp_path: Path, teacher_folder: Path
) -> None:
    """The parent is the teacher, so each of its greedy replies is exact; the candidate agrees in none."""
    rows = [Row.of(sample, "anchor", parent="v1") for sample in greedy(teacher_folder, make_samples(30))]
    found, lost = judge(rows, teacher_folder, make_model(tmp_path / "other", seed=9), max_length=512, device=CPU)
    sides = [(row, row.parent, row.candidate) for row in found.rows]
    gone = [row for row, was, now in sides if (was.exact and not now.exact) or (was.facts and not now.facts)]
    assert len(lost) == min(len(gone), MOST_LOST) > 3
    assert {one.id for one in lost} <= {row.id for row in gone}
    assert [one.facts for one in lost] == sorted((one.facts for one in lost), reverse=True)
    assert {one.id for one in lost if one.exact} <= {row.id for row, was, _ in sides if was.exact}
    by_id = {row.id: row for row in rows}
    assert all(one.candidate != one.teacher and one.asked == by_id[one.id].messages[-1]["content"] for one in lost)
    assert judge(rows, teacher_folder, teacher_folder, max_length=512, device=CPU)[1] == []


def test_a_reply_with_other_words_has_its_facts_and_one_with_another_number_has_not() -> None:
    encoder = Encoder(TOKENIZER)
    text = encoder.encode([{"role": "user", "content": "?"}], "It takes 5 days.", max_length=512, max_reply=64)
    assert text is not None
    reply = text.tokens[text.start :]
    assert reply_judged(encoder, "?", text, reply) == JudgedReply(agreement=1.0, exact=True, facts=True)
    for said, facts in (("It takes 5 days!", True), ("It takes 6 days.", False)):
        tokens = [*encoder.tokenizer.encode(said, add_special_tokens=False), encoder.end]
        found = reply_judged(encoder, "?", text, tokens)
        assert (found.exact, found.facts) == (False, facts)
        assert found.agreement == pytest.approx(1 - 1 / len(reply))


def test_a_reply_is_judged_by_the_tokens_that_the_teacher_gave(teacher_folder: Path, student: Path) -> None:
    """A token for each character is what no tokenizer makes of the text: the parent is asked for those."""
    encoder, sample = Encoder(teacher_folder), make_samples(1)[0]
    logged = tuple(t for c in sample.teacher_text for t in encoder.tokenizer.encode(c, add_special_tokens=False))
    assert len(logged) > len(encoder.tokenizer.encode(sample.teacher_text, add_special_tokens=False))
    row = Row.of(sample.model_copy(update={"teacher_tokens": logged}), "hard", parent="v1")
    found, _ = judge([row], teacher_folder, student, max_length=512, device=CPU)
    tokens = found.summary["hard"]["tokens"]
    assert sum(part["n"] for part in tokens.values()) == len(logged) + 1


def test_a_thousand_rows_are_judged_in_ten_seconds_of_two_cores() -> None:
    """Of the demo's own students, in CPU seconds of one thread, so that what runs beside it does not count.

    At small counts a tenth of them, with three times as long again for what does not depend on their number, and for
    what slows down who shares the cores.
    """
    count, seconds = (1000, 20) if os.environ.get("UNDERSTUDY_FULL") == "1" else (100, 8)
    students = TOKENIZER.parents[1] / "registry" / "students"
    rows = [Row.of(s, "anchor", parent="v1") for s in make_samples(count)]
    began = time.process_time()
    found, _ = judge(rows, students / "v1", students / "v2", max_length=512, device=CPU)
    assert len(found.rows) == count
    assert time.process_time() - began < seconds
