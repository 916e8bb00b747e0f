"""`experiment results --plot FILE`: the primary effect and its interval over time, drawn by matplotlib."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

from serving.control.replies.results import ExperimentResultsReply
from understudy.errors import UsageError

KINDS = (".png", ".svg", ".pdf")
SIZE = (9.0, 4.5)


def plot(value: ExperimentResultsReply, path: Path) -> None:
    """Draw into `path`.

    Raises:
        UsageError: no such kind of file, nothing to draw yet, a folder that is not there, or no matplotlib.
    """
    if path.suffix not in KINDS:
        raise UsageError(f"{path} names no picture; use one of {', '.join(KINDS)}")
    if not any(look.effect is not None for of in value.looks.values() for look in of):
        raise UsageError(f"there is nothing to draw yet: {value.why}")
    try:
        from matplotlib.dates import date2num
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("plots need matplotlib: `uv pip install 'understudy[experiments]'`") from None
    figure = Figure(SIZE, layout="constrained")
    axes = figure.subplots()
    for arm, of in value.looks.items():
        known = [one for one in of if one.effect is not None]
        times = date2num([datetime.fromtimestamp(one.at, UTC) for one in known])  # type: ignore[no-untyped-call]
        effect, low, high = (_numbers([getattr(one, name) for one in known]) for name in ("effect", "lower", "upper"))
        [line] = axes.plot(times, effect, label=arm)
        axes.fill_between(times, low, high, alpha=0.15, color=line.get_color())
    axes.xaxis_date()
    primary = next((pair.primary for pair in value.comparisons if pair.primary), None)
    if primary is not None:
        axes.set_ylabel(f"effect on {primary.kpi}")
        axes.axhline(0.0, color="grey", linewidth=0.8)
        if primary.margin:
            sign = 1 if primary.test == "superiority" else -1
            axes.axhline(sign * primary.margin, color="grey", linestyle="--", linewidth=0.8, label="margin")
    axes.set_title(f"{value.id}: {value.decision}")
    axes.legend()
    figure.autofmt_xdate()
    try:
        figure.savefig(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


def _numbers(values: list[float | None]) -> list[float]:
    return [math.nan if x is None else x for x in values]
