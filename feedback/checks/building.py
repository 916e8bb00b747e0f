"""The checks that the configuration wants, as objects, and one way to run them for worker, benchmarks and tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from feedback.checks.config import ChecksConfig
from feedback.checks.kinds import Check, Finding, ReplyPair
from feedback.checks.logic import Logic
from feedback.checks.quality import Quality
from feedback.checks.semantic import Semantic
from feedback.events import CheckKind

BUILDERS: dict[CheckKind, Callable[[ChecksConfig], Check]] = {
    "semantic": lambda config: Semantic(config.semantic_threshold),
    "logic": lambda config: Logic(),
    "quality": lambda config: Quality(config.quality_margin),
}
LONGEST = 16_384
"""Characters of each reply that are looked at."""


def build(config: ChecksConfig) -> tuple[Check, ...]:
    """The checks, ready to be called; build them once, since one may hold a model."""
    return tuple(make(config) for make in BUILDERS.values())


def run_checks(pair: ReplyPair, checks: Sequence[Check]) -> dict[str, Finding]:
    """The finding of each check, by kind."""
    pair = replace(pair, teacher=pair.teacher[:LONGEST], student=pair.student[:LONGEST])
    return {check.kind: check(pair) for check in checks}
