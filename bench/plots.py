"""The picture of docs/statistics.md, drawn from what `understudy bench statistics` left: the same each time."""

from __future__ import annotations

import importlib
from pathlib import Path
from textwrap import fill
from typing import Any

OURS, OTHER = "#1f5fbf", "#b3561e"
Pairs = list[tuple[str, float, float]]


def statistics(report: dict[str, Any], path: Path) -> None:
    """Errors under peeking, rollbacks by chance, and requests until a worse candidate is taken back, as SVG."""
    matplotlib = importlib.import_module("matplotlib")  # only here, since its import writes a cache of fonts
    with matplotlib.rc_context({"svg.hashsalt": "understudy", "svg.fonttype": "none", "font.size": 8}):
        figure = importlib.import_module("matplotlib.figure").Figure(figsize=(11, 4.6), layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        _bars(left, "some look leaves the truth out", peeking(report), ("always valid", "fixed horizon, peeked at"))
        left.axvline(report["alpha"], color="#7a8699", linestyle="--", linewidth=1)
        _bars(middle, "equal candidates taken back", rollbacks(report), ("deployed", "first loop's rule"))
        middle.axvline(0.01, color="#7a8699", linestyle="--", linewidth=1)
        _bars(right, "requests to a rollback, 95 %", caught(report), ("deployed", "first loop's rule"))
        figure.savefig(path, format="svg", metadata={"Date": None})


def peeking(report: dict[str, Any]) -> Pairs:
    """Share of experiments by base rate and shares: always valid, and naive."""
    return [(f"{row['base']:g}, {100 * (1 - row['share']):.0f}/{100 * row['share']:.0f}", row["error"], row["naive"])
            for row in report["peeking"]]  # fmt: skip


def rollbacks(report: dict[str, Any]) -> Pairs:
    """Share of A/A rollouts by requests a user, correlation, failures and traffic: deployed, and the first rule."""
    return [(fill(f"{row['asks']} a user, {row['icc']:g}, {row['base']:.0%}, {row['traffic']}", 44), row["deployed"],
             row["first"]) for row in report["false_rollbacks"]]  # fmt: skip


def caught(report: dict[str, Any]) -> Pairs:
    """Requests by failures and how much worse: deployed, and the first rule; what is never caught has no bar."""
    found: dict[tuple[float, float], dict[str, float]] = {}
    for row in report["caught"]:
        found.setdefault((row["base"], row["worse"]), {})[row["rule"]] = row["p95"] or float("nan")
    return [(f"{base:.0%}, {100 * worse:.0f} points worse", of["deployed"], of["first"])
            for (base, worse), of in found.items()]  # fmt: skip


def _bars(axes: Any, title: str, pairs: Pairs, names: tuple[str, str]) -> None:
    places = range(len(pairs))
    axes.barh([at - 0.2 for at in places], [ours for _, ours, _ in pairs], 0.38, color=OURS, label=names[0])
    axes.barh([at + 0.2 for at in places], [other for _, _, other in pairs], 0.38, color=OTHER, label=names[1])
    axes.set_yticks(list(places), [name for name, _, _ in pairs], fontsize=7)
    axes.invert_yaxis()
    axes.set_title(title)
    axes.legend(fontsize=7)
