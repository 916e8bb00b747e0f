"""A copy on which switches of serving are valued: metrics of what everybody who answers in some cell replies. Pure.

All are asked alike, greedily and with one limit of tokens, so that coalitions differ by their switches alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feedback.checks.building import run_checks
from feedback.checks.evidence import evidence
from feedback.checks.kinds import Check, Finding, ReplyPair
from feedback.events import Exchange
from feedback.kpis.coalitions import METRICS
from feedback.kpis.effects import copy_effects
from feedback.shadow.pairing import Valuation
from feedback.store.keys import RedisKeys
from feedback.texts import normal, prompt_text

TEACHER = "teacher"
CANDIDATE = "candidate"


@dataclass(frozen=True, slots=True)
class CopyReplies:
    """Replies to a copy: the teacher's and those of students by version; whether a limit of tokens ended any."""

    valuation: Valuation
    teacher: str
    students: Mapping[str, str]
    cut: bool


def copy_commands(
    keys: RedisKeys, exchange: Exchange, copied: CopyReplies, lang: str, checks: Sequence[Check]
) -> list[list[Any]]:
    """What the copy adds to the units of the experiments that it is valued for."""
    asked = copied.valuation
    figures = metrics(exchange, copied, lang, checks)
    commands = []
    for counts_for, answers in asked.phases:
        names = {TEACHER: TEACHER, CANDIDATE: asked.candidate}
        replies = [figures[names.get(who) or asked.stable] for who in answers]
        versions = asked.stable, asked.candidate if CANDIDATE in answers else None
        commands += copy_effects(keys, exchange, counts_for.experiment, counts_for.phase, versions, replies)
    return commands


def metrics(exchange: Exchange, copied: CopyReplies, lang: str, checks: Sequence[Check]) -> dict[str, dict[str, float]]:
    """Of the replies of `teacher` and of each student's version: METRICS.

    Replies are as long as they are; what the checks compare is cut to one length where a limit ended any.
    """
    length = min(map(len, (copied.teacher, *copied.students.values()))) if copied.cut else None
    teacher = copied.teacher[:length]
    found: dict[str, dict[str, float]] = {}
    for version, text in copied.students.items():
        pair = ReplyPair(exchange.messages, teacher, text[:length], lang, greedy=not copied.cut)
        findings = run_checks(pair, checks)
        exact = normal(teacher) == normal(pair.student)
        facts = not evidence(prompt_text(exchange.messages), teacher, pair.student)
        failed = any(one.failed for one in findings.values())
        alike = findings["semantic"].score, float(exact), float(facts), float(failed)
        found[version] = _named(*alike, _quality(findings, "student"), float(len(text)))
        found[TEACHER] = _named(1.0, 1.0, 1.0, 0.0, _quality(findings, TEACHER), float(len(copied.teacher)))
    return found


def _named(*figures: float) -> dict[str, float]:
    return dict(zip(METRICS, figures, strict=True))


def _quality(findings: Mapping[str, Finding], of: str) -> float:
    return findings["quality"].values.get(of, 0.0)
