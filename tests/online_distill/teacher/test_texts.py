"""The order of scoring."""

from __future__ import annotations

from online_distill.data.config import DataConfig
from online_distill.data.encoding import Encoder
from online_distill.data.rows import Row
from online_distill.teacher.texts import texts_of
from tests.online_distill.world import TOKENIZER, make_samples


def test_every_beginning_of_the_scoring_order_is_balanced_and_teacher_texts_come_first() -> None:
    rows = [Row.of(s, "hard", parent="v1") for s in make_samples(40)] + [
        Row.of(s, "anchor", parent="v1") for s in make_samples(40, start=900)
    ]
    texts = texts_of(rows, Encoder(TOKENIZER), DataConfig())
    weights = [text.weight for text in texts[:20]]
    assert weights.count(3.0) == weights.count(1.0) == 10
    assert all(text.key.endswith("/teacher") for text in texts[:20])
    assert sum(text.key.endswith("/student") for text in texts) == 40


def test_what_the_parent_scores_comes_last_and_leaves_the_order_of_the_rest() -> None:
    hard = [Row.of(s, "hard", parent="v1") for s in make_samples(20)]
    replay = [Row.of(s, "anchor", parent="v1") for s in make_samples(60, start=900)]
    marked = [row.model_copy(update={"known": i % 3 != 0}) for i, row in enumerate(replay)]
    texts = texts_of([*hard, *marked], Encoder(TOKENIZER), DataConfig())
    assert [text.known for text in texts] == [False] * 60 + [True] * 40
    left = [row for row in marked if not row.known]
    assert [text.key for text in texts[:60]] == [
        t.key for t in texts_of([*hard, *left], Encoder(TOKENIZER), DataConfig())
    ]


def test_the_teachers_tokens_are_scored_as_they_were_logged() -> None:
    encoder, row = Encoder(TOKENIZER), Row.of(make_samples(1)[0], "hard", parent="v1")
    logged = tuple(t for c in row.teacher_text for t in encoder.tokenizer.encode(c, add_special_tokens=False))
    texts = texts_of([row.model_copy(update={"teacher_tokens": logged})], encoder, DataConfig())
    found = {text.key.rpartition("/")[2]: text.encoded.tokens[text.encoded.start : -1] for text in texts}
    assert found["teacher"] == list(logged) != encoder.tokenizer.encode(row.teacher_text, add_special_tokens=False)
    assert found["student"] == encoder.tokenizer.encode(row.student_text, add_special_tokens=False)


def test_a_students_text_that_is_the_teachers_is_scored_once() -> None:
    row = Row.of(make_samples(1)[0], "hard", parent="v1")
    same = row.model_copy(update={"student_text": f" {row.teacher_text} "})
    assert [text.key for text in texts_of([same], Encoder(TOKENIZER), DataConfig())] == [f"{row.id}/teacher"]
