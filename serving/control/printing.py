"""Turns the control plane's JSON into short text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Columns as wide as their widest cell."""
    cells = [list(head), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join(lines)


def status(value: dict[str, Any]) -> str:
    """`GET status`."""
    live = value["live"]
    lines = [
        f"epoch {value['epoch']}   teacher {live['teacher']}   student {live['student']}   "
        f"previous {', '.join(value['previous']) or 'none'}",
    ]
    rows = [
        (name, s["desired"], s["version"], s["ready"], s.get("state", "silent"), s.get("in_flight", ""))
        for name, s in value["slots"].items()
    ]
    lines += ["", table(("slot", "wanted", "loaded", "ready", "state", "in flight"), rows), ""]
    current, rollout = value["round"], value["rollout"]
    lines.append(f"round   {current['id']} at {current['stage']}" if current["id"] else "round   none")
    if rollout is not None:
        step = "loading" if rollout["step"] < 0 else f"step {rollout['step'] + 1}"
        lines.append(f"rollout {rollout['version']}: {step}")
    if value["operation"] is not None:
        lines.append(f"under way: {value['operation']['kind']} to {value['operation']['target']}")
    lines.append(f"pool    {value['pool'].get('size')} hard samples")
    lines.append(f"frozen  {', '.join(value['frozen']) or 'nothing'}")
    lines += [f"bad     {version}: {why}" for version, why in value["bad"].items()]
    return "\n".join(lines)


def versions(value: dict[str, Any]) -> str:
    """`GET versions`."""
    rows = [
        (v["version"], v["state"], when(v["created"]), v["parent"], v["round"], v["decided_by"], v["bad"] or "")
        for v in value["versions"]
    ]
    return table(("version", "state", "created (UTC)", "parent", "round", "decided by", "bad"), rows)


def moved(value: dict[str, Any]) -> str:
    """The answer of a rollback or promotion."""
    text = f"{value['from']} -> {value['to']} at epoch {value['epoch']} in {value['seconds']:.2f} s"
    behind = value.get("behind")
    return f"{text}; gateways that do not follow yet: {', '.join(behind)}" if behind else text


def rounds(value: dict[str, Any]) -> str:
    """`GET rounds`."""
    rows = [
        (r["id"], r["state"], r["parent"], r["candidate"], when(r["started"]), r["why"],
         " ".join(f"{name} {s['seconds']:.0f}s" for name, s in r["stages"].items()))
        for r in value["rounds"]
    ]  # fmt: skip
    return table(("round", "state", "parent", "candidate", "started (UTC)", "why", "stages"), rows)


def kpis(value: dict[str, Any]) -> str:
    """`GET kpis`."""
    rows = [
        (name, kpi, int(s["n"]), f"{s['mean']:.4f}", f"{s['var'] ** 0.5:.4f}")
        for name, group in value["kpis"].items()
        for kpi, s in group.items()
    ]
    return table((value["by"], "kpi", "n", "mean", "sd"), rows)


def pool(value: dict[str, Any]) -> str:
    """`GET pool`."""
    rows = [("all", value["size"]), *value.get("by_kind", {}).items()]
    return table(("kind", "samples"), rows)


def experiments(value: dict[str, Any]) -> str:
    """`GET experiments`."""
    rows = [
        (e["id"], e["unit"], ", ".join(f"{arm} {share:g}" for arm, share in e["arms"].items()))
        for e in value["experiments"]
    ]
    return table(("experiment", "unit", "arms"), rows)


def when(at: float) -> str:
    """Seconds since the epoch as a date."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
