"""What the trainer leaves, in both of its forms."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from deploy.life.evaluation import Evaluation, JudgedReply, exact, facts, matched
from tests.deploy.life.judged import evaluation, rows


def test_the_first_schema_is_read_as_exact_where_all_tokens_agreed() -> None:
    pairs = [{"id": "a", "parent": 1.0, "candidate": 0.97}, {"id": "b", "parent": 0.5, "candidate": 1}]
    found = Evaluation.model_validate({"schema_version": 1, "candidate_finite": True, "general": pairs, "hard": []})
    assert [row.id for row in found.of("general")] == ["a", "b"]
    assert found.of("hard") == ()
    lost = matched(found.of("general"), exact)
    assert (lost.n, lost.lost, lost.won) == (2, 1, 1)
    assert found.rows[1].parent == JudgedReply(agreement=0.5, exact=False, facts=False)


@pytest.mark.parametrize(
    "given",
    [
        {"schema_version": 3, "candidate_finite": True},
        {"schema_version": 1, "candidate_finite": True, "general": [{"id": "a"}]},
        {"schema_version": 1, "candidate_finite": True, "general": "all"},
        {"schema_version": 2},
    ],
)
def test_what_is_no_evaluation_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        Evaluation.model_validate(given)


def test_what_is_written_is_read_again() -> None:
    made = evaluation(*rows(5, lost=1, won=2))
    assert Evaluation.model_validate_json(made.model_dump_json()) == made
    assert matched(made.of("general"), facts).lost == 1
