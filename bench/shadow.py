"""Prompts until a loss shows when both versions answer each, beside a split test: what shadow pairs save.

Once as an experiment says it (`ab.sequential.pairs`, two-sided), once as a guardrail of a canary would (one of many,
one-sided; pairs of two students on one prompt are not deployed). Every conclusion is compared with the deployed code's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from ab.experiment import Primary
from ab.sequential import pairs
from ab.sequential.bounds import ConfidenceSequence
from ab.sequential.effects import OUTCOMES, Side, effect, raw_moments
from ab.sequential.judging import judge
from ab.sequential.rollout import ALPHA, PLANNED
from bench.looks import by_step, harm_at
from bench.rollouts import KPI, RAILS, Traffic, drawn, quantile, told
from bench.simulating import Floats

PromptCounts = NDArray[np.int64]
POINTS, BASE = 0.03, 0.1
PER_LOOK, LOOKS = 10, 4_000
ASKED = Primary(kpi="passes", test="two_sided")
LEVEL, UNITS = 0.05, 10_000
"""Of the experiment: alpha, and planned units."""


def paired(runs: int, seed: int) -> list[dict[str, Any]]:
    """Prompts until 3 points fewer replies pass a check: both versions asked on each, and each asked on half of them.

    Both differ on `apart` of the prompts by chance alone, each way half; what is worse comes on top.
    """
    rows, n = [], np.arange(1, LOOKS + 1) * PER_LOOK
    for apart in (0.02, 0.1):
        rng = np.random.default_rng([seed, 5, int(apart * 100)])
        ends: dict[tuple[str, str], list[float]] = {}
        for _ in track(range(runs), description=f"pairs, {apart:.0%} differ by chance", transient=True):
            lost = rng.binomial(PER_LOOK, apart / 2 + POINTS, LOOKS).cumsum()
            won = rng.binomial(PER_LOOK, apart / 2, LOOKS).cumsum()
            failed = [rng.binomial(PER_LOOK // 2, rate, LOOKS).cumsum() for rate in (BASE, BASE + POINTS)]
            looks = {
                ("experiment", "one_prompt"): _pairs_end(lost, won, n),
                ("experiment", "own_prompts"): _split_end(failed, n),
                ("guardrail", "one_prompt"): _guarded_end(lost, won, n),
                ("guardrail", "own_prompts"): _rollout_end(rng),
            }
            for key, look in looks.items():
                ends.setdefault(key, []).append(math.inf if look is None else float(n[look]))
        for rule in ("experiment", "guardrail"):
            found = {how: {f"p{q}": quantile(ends[rule, how], q) for q in (50, 95)} for how in HOW}
            one, own = (found[how]["p50"] for how in HOW)
            saved = round(own / one, 1) if one and own else None
            rows.append({"rule": rule, "worse": POINTS, "apart": apart, "base": BASE, **found, "saved": saved})
    return rows


HOW = ("one_prompt", "own_prompts")


def _first(found: NDArray[np.bool_]) -> int | None:
    return int(found.argmax()) if found.any() else None


def _half(error: Floats, n: PromptCounts, sequence: ConfidenceSequence) -> Floats:
    x = n * sequence.rho2
    root = np.sqrt(x + 1) / sequence.alpha
    return np.asarray(error * np.sqrt(2 * (x + 1) / x * (np.log(root) if sequence.sides == 2 else np.log1p(root / 2))))


def _difference(lost: PromptCounts, won: PromptCounts, n: PromptCounts) -> tuple[Floats, Floats]:
    """Mean by prompt, a user each, of passed less passed before; and its error."""
    mean = (won - lost) / n
    return mean, np.sqrt(np.maximum(0.0, ((lost + won) / n - mean * mean) / (n - 1)))


def _pairs_end(lost: PromptCounts, won: PromptCounts, n: PromptCounts) -> int | None:
    """The look at which the pairs of an experiment say that the new version is worse."""
    mean, error = _difference(lost, won, n)
    low = (lost + won >= pairs.DISCORDANT) & (error > 0)
    look = _first(low & (mean + _half(error, n, ConfidenceSequence(LEVEL, UNITS)) < 0))
    for at in {LOOKS - 1 if look is None else look, (look or 1) - 1}:
        k, m, gap = int(n[at]), int(lost[at] + won[at]), int(won[at] - lost[at])
        moments = raw_moments(k, (gap, k), (m, gap, k))
        said = pairs.paired([pairs.PairedUnits(Side(moments, binary=False), differing=m)], LEVEL, UNITS)
        assert (said.verdict == "worse") == (at == look), (at, look, said)
    return look


def _split_end(failed: list[PromptCounts], n: PromptCounts) -> int | None:
    """The same of a split test of so many prompts, half of them each version's."""
    half = n // 2
    p, q = (1 - one / half for one in failed)
    error = np.sqrt(p * (1 - p) / (half - 1) + q * (1 - q) / (half - 1))
    enough = np.minimum(*failed) >= OUTCOMES
    look = _first(enough & (q - p + _half(error, n, ConfidenceSequence(LEVEL, UNITS)) < 0))
    at = LOOKS - 1 if look is None else look
    old, new = (Side.counted(int(half[at]), int(half[at] - one[at])) for one in failed)
    assert (judge(ASKED, effect(old, new), LEVEL, UNITS).verdict == "harm") == (look is not None)
    return look


def _guarded_end(lost: PromptCounts, won: PromptCounts, n: PromptCounts) -> int | None:
    """The look at which one of a canary's guardrails would say harm of such pairs."""
    mean, error = _difference(lost, won, n)
    half = _half(error, 4 * n, ConfidenceSequence(ALPHA / len(RAILS), PLANNED, 1))
    return _first((lost + won >= pairs.DISCORDANT) & (error > 0) & (mean + half < 0))


def _rollout_end(rng: np.random.Generator) -> int | None:
    """The look at which the deployed guardrail says it of users with a prompt each, half of them the candidate's."""
    users = np.full((LOOKS, 2), PER_LOOK / 2)
    rates = np.stack([np.full(LOOKS, BASE), np.full(LOOKS, BASE + POINTS)], axis=1)
    sums = by_step(drawn(rng, Traffic(1, 0.05), users, rates), np.zeros(LOOKS, dtype=np.int64))
    return harm_at(RAILS, {KPI: sums})


def page(report: Mapping[str, Any], table: Callable[[list[tuple[str, ...]], tuple[str, ...]], str]) -> list[str]:
    """What the page of benchmarks says of pairs."""
    rules = {"experiment": "an experiment's pairs", "guardrail": "a canary's guardrail"}
    return [
        "Prompts until replies that pass a check 3 points less often are found out, 10 % failing before: both versions "
        "asked on each prompt, or each version on half of them. Of an experiment (alpha 0.05, two-sided) that is "
        "deployed; of a canary, whose guardrails share 0.01, the pairs are not:",
        table([(rules[row["rule"]], f"{row['apart']:.0%}", *(told(row[how][q]) for how in HOW for q in ("p50", "p95")),
                "" if row["saved"] is None else f"{row['saved']:g}") for row in report["paired"]],
              ("rule", "prompts on which the two differ by chance", "one prompt, median", "95 %",
               "own prompts, median", "95 %", "times as many, median")),
    ]  # fmt: skip
