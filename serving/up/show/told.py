"""What a round drew and what became of each slice, in few words. Pure; `rounds show` has all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from deploy.life.evaluation import Slice
from deploy.life.slices import Change, SliceChange
from serving.control.pages.round import FIGURES, drawn_rows
from serving.control.printing import SLICES

HEAD: Final = ("", *(f"{name} %" for name in FIGURES))
"""Of `cells`."""
SLICE_OF: Final[dict[str, Slice]] = {"hard": "hard", "anchor": "general"}
"""The slice that a row is judged in, by its role."""


def drawn(summary: Mapping[str, Any]) -> str:
    """What is trained on, judged on and left out, by role and reason; `summary`: of the stage `select`."""
    return "; ".join(f"{name} {counts}" for name, counts in drawn_rows(summary))


def drawn_short(summary: Mapping[str, Any]) -> str:
    """On a line of a terminal: rows to train on by why they were drawn, held-out ones by slice."""
    parts = summary.get("drawn", {})
    reasons = _sums((name.partition("_")[2], n) for name, n in parts.get("train", {}).items())
    held = _sums((SLICES[SLICE_OF[name.partition("_")[0]]], n) for name, n in parts.get("holdout", {}).items())
    return f"drawn {reasons}{f'; held out {held}' if held else ''}" if reasons else ""


def cells(slices: Mapping[Slice, SliceChange]) -> Iterator[tuple[str, ...]]:
    """A row of each slice, in per cent: before and after, the 95 % interval of the difference, replies lost and won."""
    for name, row in slices.items():
        yield (
            f"{SLICES[name]} {row.n}", f"{_brief(row.exact)} {_counts(row.exact)}",
            f"{_brief(row.facts)} {_counts(row.facts)}", _brief(row.agreement),
        )  # fmt: skip


def differences(slices: Mapping[Slice, SliceChange], number: int) -> str:
    """The intervals of the differences in points, to follow what the gate said, and where lost replies are shown."""
    if not slices:
        return ""
    parts = (
        f"{SLICES[name]} " + ", ".join(f"{figure} {_interval(getattr(row, figure))}" for figure in FIGURES)
        for name, row in slices.items()
    )
    lost = any(row.exact.lost or row.facts.lost for row in slices.values())
    shown = f"; `understudy rounds show {number}` shows what was lost" if lost else ""
    return f"; difference in points (95 %): {'; '.join(parts)}{shown}"


def _sums(counts: Iterable[tuple[str, int]]) -> str:
    """Counts of one name together, the largest first."""
    total: Counter[str] = Counter()
    for name, n in counts:
        total[name] += n
    return " ".join(f"{n} {name}" for name, n in total.most_common())


def _brief(change: Change) -> str:
    return f"{100 * change.before.value:.0f}→{100 * change.after.value:.0f} {_interval(change)}"


def _interval(change: Change) -> str:
    return f"[{100 * change.difference.lower:+.0f},{100 * change.difference.upper:+.0f}]"


def _counts(change: Change) -> str:
    return f"-{change.lost}+{change.won}"
