"""Figures of a guard: what of each family it catches, what it catches wrongly, and within which bounds."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import lgamma, log

import numpy as np
from numpy.typing import NDArray

from serving.guard.cascade import SYSTEM, Guard, GuardedText, Thresholds
from serving.guard.model.linear import LinearModel
from serving.guard.verdict import GuardVerdict
from trials.guard.rows import GuardRow

JUDGED = ("jailbreak", "prompt_injection", "sysprompt_extraction", "encoding")
"""Kinds of attacks that are held to a target; others are reported."""
SMALL = 20
"""Rows below which a family counts together with the other small ones of its kind."""
Judge = Callable[[GuardRow], GuardVerdict]


def guard_of(model: LinearModel) -> Guard:
    """A guard with the model's own thresholds, which remembers nothing."""
    return Guard(model, Thresholds(model.flag, model.degrade), remembered=0)


def judge_by(guard: Guard) -> Judge:
    """The verdict of a request of a row's text, after its system message where it has one."""

    def judge(row: GuardRow) -> GuardVerdict:
        texts = [GuardedText(row.system, SYSTEM)] if row.system else []
        return guard.judge([*texts, GuardedText(row.text)]).verdict

    return judge


def judge_text(guard: Guard, text: str) -> GuardVerdict:
    """The verdict of a request of one text of a user."""
    return guard.judge([GuardedText(text)]).verdict


@dataclass(frozen=True, slots=True)
class GuardTally:
    """How many of `n` were caught (flagged or degraded), and degraded."""

    n: int
    caught: int
    degraded: int

    @classmethod
    def of(cls, verdicts: Iterable[GuardVerdict]) -> GuardTally:
        """The counts of `verdicts`."""
        held = list(verdicts)
        caught = sum(one is not GuardVerdict.ALLOW for one in held)
        return cls(len(held), caught, sum(one is GuardVerdict.DEGRADE for one in held))

    @property
    def share(self) -> float:
        """The share that is caught."""
        return self.caught / self.n if self.n else 0.0

    def told(self, **names: str) -> dict[str, object]:
        """As a row of the answer, with upper 95 % bounds of both shares."""
        bounds = {"caught_upper": upper(self.caught, self.n), "degraded_upper": upper(self.degraded, self.n)}
        return {**names, "n": self.n, "caught": self.caught, "degraded": self.degraded, "share": self.share, **bounds}


def by_key(rows: Sequence[GuardRow], verdicts: Sequence[GuardVerdict]) -> list[dict[str, object]]:
    """Counts by label, family and language."""
    keys = sorted({(row.label, row.family, row.language) for row in rows})
    return [
        GuardTally.of(
            verdict
            for row, verdict in zip(rows, verdicts, strict=True)
            if (row.label, row.family, row.language) == (label, family, language)
        ).told(label=label, family=family, language=language)
        for label, family, language in keys
    ]


def upper(count: int, n: int, alpha: float = 0.05) -> float:
    """Upper bound of a share by Clopper and Pearson: at it, `count` or fewer of `n` have probability `alpha`."""
    if n == 0 or count >= n:
        return 1.0
    low, high = count / n, 1.0
    choices = [lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) for k in range(count + 1)]
    for _ in range(60):
        share = (low + high) / 2
        terms = (
            [ways + k * log(share) + (n - k) * log(1 - share) for k, ways in enumerate(choices)] if share < 1 else []
        )
        low, high = (share, high) if float(np.exp(terms).sum()) > alpha else (low, share)
    return high


def left_out_families(rows: Sequence[GuardRow]) -> dict[str, NDArray[np.bool_]]:
    """The judged families, of which each is left out in its turn; small ones of a kind together."""
    names = np.array([row.family if row.attack and kind(row) in JUDGED else "" for row in rows])
    found: dict[str, NDArray[np.bool_]] = {}
    for name in sorted({*names.tolist()} - {""}):
        mine = names == name
        if mine.sum() < SMALL:
            name = f"{name.partition(':')[0]}:(small ones)"
        found[name] = found.get(name, np.zeros(len(rows), bool)) | mine
    return found


def kind(row: GuardRow) -> str:
    """What stands before the colon of a row's family."""
    return row.family.partition(":")[0]


def bootstrapped(
    caught: Sequence[tuple[NDArray[np.bool_], NDArray[np.int64]]], times: int = 2000, seed: int = 1
) -> tuple[float, float, float]:
    """Macro average of shares over families and its 95 % interval, by drawing groups anew within each family.

    `caught` holds for each family what was caught and the group of each row.
    """
    chance = np.random.default_rng(seed)
    drawn = np.zeros(times)
    for held, group in caught:
        _, place = np.unique(group, return_inverse=True)
        sizes = np.bincount(place)
        hits = np.bincount(place, held)
        picks = chance.integers(len(sizes), size=(times, len(sizes)))
        drawn += hits[picks].sum(1) / sizes[picks].sum(1)
    low, high = np.quantile(drawn / len(caught), [0.025, 0.975])
    return float(np.mean([held.mean() for held, _ in caught])), float(low), float(high)


def sampled(texts: Sequence[str], count: int, seed: int = 1) -> list[str]:
    """At most `count` of `texts`, by chance."""
    return list(texts) if len(texts) <= count else random.Random(seed).sample(texts, count)
