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
from trials.guard.rows import MADE, GuardRow
from trials.guard.training import GuardMaterial, learned
from trials.guard.written import written

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
    """Each judged family left out, and its groups with it; the macro average; and each whole kind left out.

    With a whole kind go the rows of it that are written to teach. `strict` is the same macro average where they go with
    each family of this project's own Chinese set as well, since the same hand wrote both.
    """
    rows = material.rows
    families: list[dict[str, Any]] = []
    held, strict = [], []
    for name, left in track(sorted(left_out_families(rows).items()), description="families left out"):
        held.append((_caught(material, left), material.group[left]))
        share, low, high = bootstrapped(held[-1:])
        families.append({"family": name, "n": int(left.sum()), "recall": share, "lower": low, "upper": high})
        strict.append(held[-1])
        if all("template" in rows[n].meta for n in np.flatnonzero(left)):
            strict[-1] = (_caught(material, left, taught(rows, name.partition(":")[0], "zh")), material.group[left])
            families[-1]["strict"] = float(strict[-1][0].mean())
    share, low, high = bootstrapped(held)
    strict_share, strict_low, strict_high = bootstrapped(strict)
    kinds = []
    for name in track(JUDGED, description="kinds left out"):
        left = np.array([row.attack and kind(row) == name for row in rows])
        caught = _caught(material, left, taught(rows, name))
        share_of, low_of, high_of = bootstrapped([(caught, material.group[left])])
        kinds.append({"kind": name, "n": int(left.sum()), "recall": share_of, "lower": low_of, "upper": high_of})
    worst = min(families, key=lambda row: row["recall"])
    return {
        "families": families,
        "macro": {"recall": share, "lower": low, "upper": high, "families": len(families)},
        "strict": {"recall": strict_share, "lower": strict_low, "upper": strict_high, "families": len(families)},
        "kinds": kinds,
        "worst": worst["family"],
    }


def taught(rows: Sequence[GuardRow], name: str, language: str | None = None) -> NDArray[np.bool_]:
    """Which of `rows` are written to teach a kind of attack, in one language or in all."""
    return np.array([
        row.attack and written(row) and row.family.startswith(f"{MADE}:{name}:") and language in (None, row.language)
        for row in rows
    ])  # fmt: skip


def _caught(
    material: GuardMaterial, left: NDArray[np.bool_], gone: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Of the rows of `left`, which a model catches that saw none of their groups, nor the rows of `gone`."""
    keep = material.without(left)
    judge = judge_by(guard_of(learned(material, keep if gone is None else keep & ~gone)))
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
