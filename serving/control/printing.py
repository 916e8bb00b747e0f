"""Turns the control plane's JSON into short text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

WORDS = {
    "similarity": "how alike the texts of teacher and student are, on shadow pairs of live traffic; 1 is the same",
    "agreement": "share of the teacher's tokens that are the student's choice too, on held-out prompts (gate)",
}
"""What figures of this product mean that are easily taken for one another."""


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
    waits = f" (waits: {current['waits']})" if current.get("waits") else ""
    lines.append(f"round   {current['id']} at {current['stage']}{waits}" if current["id"] else "round   none")
    if rollout is not None:
        step = "loading" if rollout["step"] < 0 else f"step {rollout['step'] + 1}"
        lines.append(f"rollout {rollout['version']}: {step}")
    if value["operation"] is not None:
        lines.append(f"under way: {value['operation']['kind']} to {value['operation']['target']}")
    lines.append(f"pool    {value['pool'].get('size')} hard samples")
    lines.append(f"frozen  {', '.join(value['frozen']) or 'nothing'}")
    lines += [f"behind  {told}" for told in _astray(value["gateways"], value["epoch"])]
    lines += [f"bad     {version}: {why}" for version, why in value["bad"].items()]
    lines += ["", *(f"{word}: {meaning}" for word, meaning in WORDS.items())]
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
    lines = [f"{value['from']} -> {value['to']} at epoch {value['epoch']} in {value['seconds']:.2f} s"]
    taken = value.get("taken_back")
    if taken:
        of = "" if taken["round"] is None else f" of round {taken['round']}"
        lines.append(f"candidate {taken['version']}{of} was taken back")
    if value.get("behind"):
        lines.append(f"gateways that do not follow yet: {', '.join(value['behind'])}; `understudy status` shows them")
    return "\n".join([*lines, *_warning(value)])


def rolled_back(value: dict[str, Any]) -> str:
    """The answer of a rollback, which freezes promotion."""
    return f"{moved(value)}\npromotion is frozen until `understudy resume promotion`"


def rounds(value: dict[str, Any]) -> str:
    """`GET rounds`."""
    rows = [
        (r["id"], r["state"], r["parent"], r["candidate"], when(r["started"]), r["why"],
         " ".join(f"{name} {s['seconds']:.0f}s" for name, s in r["stages"].items()), r["ended"] or "")
        for r in value["rounds"]
    ]  # fmt: skip
    return table(("round", "state", "parent", "candidate", "started (UTC)", "why", "stages", "ended because"), rows)


def frozen(value: dict[str, Any]) -> str:
    """The answer of `POST freeze` and `POST resume`."""
    return "\n".join([f"frozen: {', '.join(value['frozen']) or 'nothing'}", *_warning(value)])


def requested(value: dict[str, Any]) -> str:
    """The answer of `POST rounds`."""
    waits = f"; it waits: {value['waits']}" if value.get("waits") else ""
    return f"asked the trainer for a round{waits}; `understudy rounds list` shows it"


def aborted(value: dict[str, Any]) -> str:
    """The answer of `POST rounds/abort`."""
    taken = f"; candidate {value['candidate']} was taken back" if value["candidate"] else ""
    return f"round {value['round']} ended at {value['stage']}: {value['why']}{taken}"


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
        (e["id"], e["state"], e["unit"], ", ".join(f"{arm} {share:g}" for arm, share in e["arms"].items()))
        for e in value["experiments"]
    ]
    return table(("experiment", "state", "unit", "arms"), rows)


def applied(value: dict[str, Any]) -> str:
    """The answer of `PUT experiments/ID`."""
    lines = [f"{value['id']} applies from epoch {value['epoch']}"]
    return "\n".join(lines + [f"warning: {warning}" for warning in value["warnings"]])


def when(at: float) -> str:
    """Seconds since the epoch as a date."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _warning(value: dict[str, Any]) -> list[str]:
    return [f"warning: {value['warning']}"] if value.get("warning") else []


def _astray(gateways: Iterable[dict[str, Any]], epoch: int | None) -> list[str]:
    """Gateways that route by another epoch than the newest."""
    return [f"{g['id']} is at epoch {g['epoch']}, not {epoch}" for g in gateways if g["epoch"] != epoch]


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
