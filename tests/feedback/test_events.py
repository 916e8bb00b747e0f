"""Messages on the bus: what of former schemas is read, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from feedback.events import (
    CHECK_KINDS,
    EXCHANGES,
    HARD_KINDS,
    INPUT_KINDS,
    KPIS,
    VERDICTS,
    Exchange,
    Verdict,
    newer_schema,
)
from tests.feedback.factory import exchange, hard

FIRST: dict[str, Any] = {
    "schema_version": 1, "id": "v", "session": "s", "at": 1.0, "exchange": "e", "teacher": "t1", "student": "v1",
    "agreement": 0.25, "failed": ["semantic"], "reasons": ["其他"],
}  # fmt: skip


def test_a_verdict_of_the_first_schema_is_read_with_its_agreement_as_similarity() -> None:
    verdict = Verdict.model_validate_json(json.dumps(FIRST))
    assert (verdict.schema_version, verdict.similarity, verdict.failed) == (3, 0.25, ("semantic",))
    written = json.loads(verdict.model_dump_json())
    assert written["schema_version"] == 3
    assert "agreement" not in written
    assert Verdict.model_validate(written) == verdict


def test_a_verdict_of_the_second_schema_names_no_unit() -> None:
    second = {**{k: v for k, v in FIRST.items() if k != "agreement"}, "schema_version": 2, "similarity": 0.5}
    verdict = Verdict.model_validate(second)
    assert (verdict.schema_version, verdict.similarity, verdict.unit, verdict.rollout) == (3, 0.5, "", None)


@pytest.mark.parametrize(
    "changes",
    [{"schema_version": 4}, {"schema_version": 3}, {"schema_version": 2}, {"agreement": None}],
)
def test_what_is_no_verdict_of_any_schema_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Verdict.model_validate(FIRST | changes)


def test_the_other_events_are_of_the_first_schema_and_degraded_requests_of_later_ones() -> None:
    written = exchange(1).model_dump()
    assert written["schema_version"] == 1
    assert Exchange.model_validate(written | {"schema_version": 2, "degraded": "guard"}).degraded == "guard"
    assert Exchange.model_validate(written | {"schema_version": 3, "degraded": "breaker"}).degraded == "breaker"
    with pytest.raises(ValidationError):
        Exchange.model_validate(written | {"schema_version": 4})


def test_fields_that_a_newer_writer_adds_are_ignored() -> None:
    assert Exchange.model_validate(exchange(1, at=1.0).model_dump() | {"mood": "good"}) == exchange(1, at=1.0)


def test_nine_kinds_of_hard_samples_and_what_is_a_failed_check() -> None:
    assert len(set(HARD_KINDS)) == len(INPUT_KINDS) + len(CHECK_KINDS) == 9
    assert hard(1, kinds=("tone", "logic", "nested")).failed_checks == ("tone", "logic")
    assert hard(1, kinds=("nested",)).failed_checks == ()


def test_only_a_newer_schema_is_newer() -> None:
    assert newer_schema(EXCHANGES, b'{"schema_version": 4}') == 4
    assert newer_schema(KPIS, b'{"schema_version": 2}') == 2
    assert newer_schema(VERDICTS, b'{"schema_version": 4}') == 4
    for value in (
        b'{"schema_version": 1}',
        b'{"schema_version": 3}',
        b'{"schema_version": "4"}',
        b"[]",
        b"not JSON",
        b"\xff",
    ):
        assert newer_schema(EXCHANGES, value) is None
    assert newer_schema("another.topic", b'{"schema_version": 9}') is None
