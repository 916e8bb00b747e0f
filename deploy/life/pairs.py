"""What the shadow pairs of a canary say: exact replies and facts of the candidate beside the stable version's. Pure.

The two answered different requests of the same traffic, so nothing is paired between them: each reply is compared
with the teacher's to the same request, and the shares are compared. The rule is the gate's, on what there is: refused
is what is clearly worse; whether a loss of the gate's margin can be excluded is said, not waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ab.guardrails import Summaries
from ab.matched import holm
from ab.shares import Share, loss_bound, units_needed, worse
from ab.summary import Stat
from deploy.life.config import GateConfig
from feedback.kpis.names import EXACT, FACTS


@dataclass(frozen=True, slots=True)
class PairsJudgement:
    """`harm` and `unknown` in words, empty where there is none."""

    harm: str
    """What is clearly worse."""
    unknown: str
    """What so few pairs cannot say."""
    figures: dict[str, Any]
    """As JSON, for the step's record."""


def judge_pairs(candidate: Summaries, stable: Summaries, config: GateConfig, looks: int = 1) -> PairsJudgement:
    """Of the pairs since the canary began. `looks`: how often a canary is judged; each spends its part of the level."""
    figures: dict[str, Any] = {}
    shares = {name: (_share(stable.get(name, Stat())), _share(candidate.get(name, Stat()))) for name in (EXACT, FACTS)}
    for name, (old, new) in shares.items():
        figures[name] = {
            "candidate": new.value, "n": new.n, "stable": old.value, "n_stable": old.n, "p": worse(old, new),
            "bound": loss_bound(old, new, config.alpha),
        }  # fmt: skip
    harmed = holm({name: figures[name]["p"] for name in shares}, config.alpha / looks)
    needed = max(units_needed(old, new, config.margin, config.alpha) for old, new in shares.values())
    return PairsJudgement(
        "; ".join(_said(name, figures[name]) for name in harmed), _unknown(figures, needed, config),
        {**figures, "needed": needed},
    )  # fmt: skip


def _said(name: str, found: dict[str, Any]) -> str:
    ours, theirs = f"{found['candidate']:.3f} of {found['n']}", f"{found['stable']:.3f} of {found['n_stable']}"
    return f"{name}: {ours} shadow pairs against {theirs} of the stable version, p = {found['p']:.2g}"


def _unknown(figures: dict[str, Any], needed: int, config: GateConfig) -> str:
    if all(figures[name]["bound"] <= config.margin for name in (EXACT, FACTS)):
        return ""
    pairs = min(figures[name]["n"] for name in (EXACT, FACTS))
    return (
        f"{pairs} shadow pairs of the canary cannot exclude a loss of {100 * config.margin:g} points of exact replies "
        f"or facts; about {needed} would"
    )


def _share(stat: Stat) -> Share:
    return Share(round(stat.mean * stat.n), stat.n)
