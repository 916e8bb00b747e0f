"""Checks of a teacher reply against a student reply: semantic, logic, quality; pure, one module each.

Here are the Protocol and the table; `bench`, tests and the worker use them alike. No models, no I/O.
"""

from __future__ import annotations

from dataclasses import replace

from feedback.checks import logic, quality, semantic
from feedback.checks.kinds import Check, Finding, ReplyPair
from feedback.shadow.config import ShadowConfig

__all__ = ["CHECKS", "Check", "Finding", "ReplyPair", "run_checks"]

CHECKS: dict[str, Check] = {"semantic": semantic.check, "logic": logic.check, "quality": quality.check}
LONGEST = 16_384
"""Characters of each reply that are looked at."""


def run_checks(pair: ReplyPair, config: ShadowConfig) -> dict[str, Finding]:
    """The finding of each check, by kind."""
    pair = replace(pair, teacher=pair.teacher[:LONGEST], student=pair.student[:LONGEST])
    return {kind: check(pair, config) for kind, check in CHECKS.items()}
