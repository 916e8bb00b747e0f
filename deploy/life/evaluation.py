"""What the trainer says of a candidate beside its parent, row by row; and its former form, still readable."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ab.matched import Matched

Slice = Literal["hard", "general"]


class _EvaluationPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class JudgedReply(_EvaluationPart):
    """One version on one held-out row, given the teacher's prefix at every token."""

    agreement: float
    """Share of the teacher's tokens that are its argmax, in [0, 1]."""
    exact: bool
    """Whether all of them are."""
    facts: bool
    """Whether the facts of its argmax tokens, read as a text, are those of the teacher's reply."""


class JudgedRow(_EvaluationPart):
    """One held-out row, judged for parent and candidate."""

    id: str
    slice: Slice
    kind: str = ""
    """What the row is like: the cluster of its prompt, or its language. Never a generator's label."""
    prompt: str = ""
    """A hash of prompt and teacher's reply, by which the row is found again when both came again; empty: not known."""
    parent: JudgedReply
    candidate: JudgedReply

    @property
    def key(self) -> str:
        """By which versions are compared over rounds: a prompt that was sampled again has another id."""
        return self.prompt or self.id


class _FormerPair(_EvaluationPart):
    """One row of the first schema, which held agreement alone."""

    id: str = ""
    parent: float
    candidate: float

    def row(self, slice_: Slice) -> dict[str, Any]:
        """The row as it is written now: an agreement of 1 is an exact reply, and so has all facts."""
        sides = {"parent": self.parent, "candidate": self.candidate}
        told = {side: {"agreement": a, "exact": a >= 1, "facts": a >= 1} for side, a in sides.items()}
        return {"id": self.id, "slice": slice_, **told}


class AskedPrompt(_EvaluationPart):
    """One prompt that ought to be refused, and who complied."""

    id: str
    family: str
    lang: str
    parent: bool
    candidate: bool


class AskedPrompts(_EvaluationPart):
    """What parent and candidate made of the committed prompts."""

    wanted: int
    """How many were to be asked; fewer were where time ran out."""
    asked: tuple[AskedPrompt, ...] = ()


class Evaluation(_EvaluationPart):
    """What the trainer leaves in `rounds/N/evaluate/evaluation.json`."""

    schema_version: Literal[2] = 2
    candidate_finite: bool
    """Whether every weight is a finite number."""
    rows: tuple[JudgedRow, ...] = ()
    summary: dict[str, Any] = Field(default_factory=dict)
    safety: AskedPrompts | None = None
    """None: nobody was asked, by the configuration, by a former release, or since the weights are no numbers."""

    @model_validator(mode="before")
    @classmethod
    def _from_first_schema(cls, value: Any) -> Any:
        if not isinstance(value, dict) or value.get("schema_version") != 1:
            return value
        rows = [_FormerPair.model_validate(p).row(s) for s in get_args(Slice) for p in value.get(s, ())]
        return {**value, "schema_version": 2, "rows": rows}

    def of(self, slice_: Slice) -> tuple[JudgedRow, ...]:
        """The rows of a slice."""
        return tuple(row for row in self.rows if row.slice == slice_)


def matched(rows: Iterable[JudgedRow], right: Callable[[JudgedReply], bool]) -> Matched:
    """What was lost and won from parent to candidate, `right` saying what counts."""
    return Matched.of((right(row.parent), right(row.candidate)) for row in rows)


def exact(judged: JudgedReply) -> bool:
    """Every token is the teacher's."""
    return judged.exact


def facts(judged: JudgedReply) -> bool:
    """Every fact is the teacher's."""
    return judged.facts
