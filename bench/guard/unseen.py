"""What models catch of rows that they never saw: in folds, with a family left out, with a kind left out."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from serving.guard.verdict import GuardVerdict
from trials.guard.evasions import EVASIONS
from trials.guard.judging import (
    JUDGED,
    GuardTally,
    Judge,
    bootstrapped,
    by_key,
    guard_of,
    judge_by,
    kind,
    left_out_families,
)
from trials.guard.rows import GuardRow
from trials.guard.training import MADE, GuardMaterial, learned

FOLDS = 5


def in_folds(material: GuardMaterial) -> tuple[list[GuardRow], list[GuardVerdict], dict[str, Any]]:
    """The rows of the sets, their verdicts by models that learned from the other folds, and the figures."""
    fold = material.folds(FOLDS)
    verdicts = [GuardVerdict.ALLOW] * len(material.rows)
    for number in track(range(FOLDS), description="folds"):
        judge = judge_by(guard_of(learned(material, fold != number)))
        for place in np.flatnonzero(fold == number):
            verdicts[place] = judge(material.rows[place])
    pairs = [(row, one) for row, one in zip(material.rows, verdicts, strict=True) if kind(row) != MADE]
    rows, found = [row for row, _ in pairs], [one for _, one in pairs]
    return (
        rows,
        found,
        {
            "rows": by_key(rows, found),
            "judged": GuardTally.of(one for row, one in pairs if row.attack and kind(row) in JUDGED).told(),
            "hard_benign": GuardTally.of(one for row, one in pairs if not row.attack).told(),
        },
    )


def left_out(material: GuardMaterial) -> dict[str, Any]:
    """Each judged family left out, and its groups with it; the macro average; and each whole kind left out."""
    rows = material.rows
    families: list[dict[str, Any]] = []
    held = []
    for name, left in track(sorted(left_out_families(rows).items()), description="families left out"):
        caught = _caught(material, left)
        held.append((caught, material.group[left]))
        share, low, high = bootstrapped(held[-1:])
        families.append({"family": name, "n": int(left.sum()), "recall": share, "lower": low, "upper": high})
    share, low, high = bootstrapped(held)
    kinds = []
    for name in track(JUDGED, description="kinds left out"):
        left = np.array([row.attack and kind(row) == name for row in rows])
        caught = _caught(material, left)
        share_of, low_of, high_of = bootstrapped([(caught, material.group[left])])
        kinds.append({"kind": name, "n": int(left.sum()), "recall": share_of, "lower": low_of, "upper": high_of})
    worst = min(families, key=lambda row: row["recall"])
    return {
        "families": families,
        "macro": {"recall": share, "lower": low, "upper": high, "families": len(families)},
        "kinds": kinds,
        "worst": worst["family"],
    }


def _caught(material: GuardMaterial, left: NDArray[np.bool_]) -> NDArray[np.bool_]:
    judge = judge_by(guard_of(learned(material, material.without(left))))
    return np.array([judge(material.rows[n]) is not GuardVerdict.ALLOW for n in np.flatnonzero(left)])


def evaded(judge: Judge, rows: Sequence[GuardRow], benign: Sequence[str]) -> list[dict[str, Any]]:
    """Of `rows` that are caught, how many still are after each evasion; of benign texts, how many are then."""
    known = [row for row in rows if row.attack and judge(row) is not GuardVerdict.ALLOW]
    found = []
    for name, evade in track(EVASIONS.items(), description="evasions"):
        chance = random.Random(name)
        still = GuardTally.of(judge(replace(row, text=evade(row.text, chance))) for row in known)
        harmless = GuardTally.of(judge(GuardRow(evade(text, chance), "benign", name, "")) for text in benign)
        found.append({
            "evasion": name, "n": still.n, "caught": still.caught, "share": still.share,
            "benign": harmless.n, "benign_caught": harmless.caught, "benign_share": harmless.share,
        })  # fmt: skip
    return found
