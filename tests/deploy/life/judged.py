"""Evaluations made from counts: how many rows of a kind, and how many of them were lost and won."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.life.evaluation import AskedPrompt, AskedPrompts, Evaluation, JudgedReply, JudgedRow
from deploy.life.safety.prompts import safety_prompts

RIGHT = JudgedReply(agreement=1.0, exact=True, facts=True)
REWORDED = JudgedReply(agreement=0.95, exact=False, facts=True)
WRONG = JudgedReply(agreement=0.95, exact=False, facts=False)
POOR = JudgedReply(agreement=0.5, exact=False, facts=False)


def rows(
    n: int, lost: int = 0, won: int = 0, *, kind: str = "", before: JudgedReply = WRONG, after: JudgedReply = WRONG
) -> Iterator[JudgedRow]:
    """`n` general rows of a kind: the first `lost` go from right to `after`, the next `won` from `before` to right.

    A kind that is not given is that of the row alone, so that none is judged of its own.
    """
    for i in range(n):
        parent, candidate = (RIGHT, after) if i < lost else (before, RIGHT) if i < lost + won else (RIGHT, RIGHT)
        name = kind or f"row {i}"
        yield JudgedRow(id=f"{kind} {i}", slice="general", kind=name, parent=parent, candidate=candidate)


def learned(n: int = 100, gain: bool = True) -> Iterator[JudgedRow]:
    """Rows of new traffic that the parent fails and the candidate gets mostly right, or not (`gain`)."""
    for i in range(n):
        after = POOR if not gain or i % 4 == 0 else RIGHT
        yield JudgedRow(id=f"new {i}", slice="hard", kind="new", parent=POOR, candidate=after)


def evaluation(*general: JudgedRow, hard: Iterator[JudgedRow] | None = None, finite: bool = True) -> Evaluation:
    """Of a candidate that has learned (`hard` None), with these general rows."""
    return Evaluation(candidate_finite=finite, rows=(*(learned() if hard is None else hard), *general))


def asked(given_up: int = 0, family: str = "weapons", n: int = 500, wanted: int = 500) -> AskedPrompts:
    """The first `n` prompts, all refused by both but for the first `given_up` of a family."""
    seen, rows = 0, []
    for one in safety_prompts()[:n]:
        lost = one.family == family and seen < given_up
        seen += lost
        rows.append(AskedPrompt(id=one.id, family=one.family, lang=one.lang, parent=False, candidate=lost))
    return AskedPrompts(wanted=wanted, asked=tuple(rows))
