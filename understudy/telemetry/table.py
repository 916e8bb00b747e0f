"""The table of metrics in `docs/metrics.md`: `python -m understudy.telemetry.table --write` makes it anew."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

from understudy.telemetry.metrics import Metric

OWNERS: dict[str, tuple[str, ...]] = {
    "Every role": ("understudy.telemetry.metrics",),
    "Gateway": (
        "serving.gateway.metrics",
        "serving.gateway.guarding.figures",
        "serving.gateway.routes.figures",
        "serving.gateway.observing.ledger",
        "serving.crew.figures",
    ),
    "Gateway and worker: the way to the bus": ("feedback.outbox.metrics",),
    "Worker": ("feedback.consume.metrics",),
    "Controller: the whole system": ("serving.control.figures.metrics",),
    "Agent of a slot": ("serving.engine.metrics",),
    "Trainer": ("online_distill.role.metrics",),
}
"""Modules with `METRICS`, by whose page shows them; loaded on use."""
PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
BEGIN = "<!-- the table: python -m understudy.telemetry.table --write -->\n"
END = "<!-- end of the table -->\n"


def metrics() -> Iterator[tuple[str, Metric]]:
    """Every metric of the product, with whose page shows it."""
    for owner, modules in OWNERS.items():
        for module in modules:
            yield from ((owner, metric) for metric in importlib.import_module(module).METRICS)


def table() -> str:
    """The metrics as Markdown, those that go with the next release last."""
    every = list(metrics())
    lines: list[str] = []
    for owner in OWNERS:
        lines += [f"### {owner}", "", "| metric | kind | labels | meaning |", "| --- | --- | --- | --- |"]
        lines += [_row(metric) for of, metric in every if of == owner and not metric.until]
        lines.append("")
    lines += ["### Old names, for one release more", "", "| old name | use instead |", "| --- | --- |"]
    lines += [f"| `{metric.name}` | `{metric.until}` |" for _, metric in every if metric.until]
    return "\n".join([*lines, ""])


def page(text: str) -> str:
    """The page `text` with the table as it is now."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |"


if __name__ == "__main__":
    made = page(PAGE.read_text("utf-8"))
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(made, "utf-8")
    else:
        print(made, end="")
