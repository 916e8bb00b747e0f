"""What the report asks: rows of a JSONL file that the application wrote, held out from training and traffic."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from understudy.errors import UnderstudyError

QuestionFamily = Literal["drift", "general"]
"""The kind of question held back from the student, and the kinds that it was taught."""
Purpose = Literal["judged", "first_token", "throughput"]
FAMILIES: tuple[QuestionFamily, ...] = ("drift", "general")


class ReportQuestion(BaseModel):
    """One prompt, what a right reply must state, and what it is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    purpose: Purpose
    family: QuestionFamily
    messages: tuple[dict[str, str], ...]
    facts: tuple[str, ...] = ()
    """Texts, each of which must be stated, whatever its spacing, case or width of characters."""


class Questions:
    """All questions of a report."""

    def __init__(self, rows: Sequence[ReportQuestion]) -> None:
        self._rows = rows

    def of(self, purpose: Purpose, family: QuestionFamily | None = None) -> list[ReportQuestion]:
        """Those for `purpose`, in order.

        Raises:
            UnderstudyError: there is none.
        """
        found = [row for row in self._rows if row.purpose == purpose and family in (None, row.family)]
        if not found:
            raise UnderstudyError(
                f"the application gave no questions for `{purpose}`" + (f" of {family}" * bool(family))
            )
        return found


def read_questions(path: Path) -> Questions:
    """The questions in the file `path`.

    Raises:
        UnderstudyError: a line is none; names it.
    """
    rows = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            rows.append(ReportQuestion.model_validate_json(line))
        except ValidationError as error:
            raise UnderstudyError(f"{path}, line {number} is no question: {error}") from None
    return Questions(rows)
