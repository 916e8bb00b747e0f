"""The gate's figures in words, for every place that shows a round. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ab.summary import Stat
from deploy.life.document import Settings
from deploy.life.state import ControlState

LEAST_PAIRS = 20
"""Shadow pairs of each version before their similarities are compared."""


def why_no_learning(settings: Settings, state: ControlState) -> str:
    """Why no round can begin, and what helps; empty where one can."""
    if settings.student is not None:
        return "`engines.student` is an engine that somebody else runs, whose weights cannot be trained from here"
    if state.stable is None and state.unfit is None:
        cut = "`understudy models cut TEACHER --layers N --as student` makes one of some of the teacher's layers"
        return f"there is no student yet: {cut}, `understudy models import DIR --as student` brings one"
    return "learning is frozen; `understudy resume learning`" if "learning" in state.frozen else ""


def rollback_cost(state: ControlState, kpis: Mapping[str, Mapping[str, Stat]]) -> str:
    """What the last rollback cost where the version that it went to is less like the teacher; empty where it is not.

    By the similarity of live shadow pairs of both versions, beyond two standard errors of the difference.
    """
    last, fallen = state.outcome, fall(state, kpis)
    if last is None or fallen is None:
        return ""
    before, after = fallen
    fell = f"{before.mean:.2f} ({before.n} pairs) -> {after.mean:.2f} ({after.n} pairs)"
    hint = f"`understudy promote {last.source}` goes back"
    return f"the rollback from {last.source} made live similarity fall: {fell}; {hint}"


def rollback_cost_short(state: ControlState, kpis: Mapping[str, Mapping[str, Stat]]) -> str:
    """The same in half a line of a terminal."""
    fallen = fall(state, kpis)
    return "" if fallen is None else f"rollback: similarity {fallen[0].mean:.2f} -> {fallen[1].mean:.2f}"


def fall(state: ControlState, kpis: Mapping[str, Mapping[str, Stat]]) -> tuple[Stat, Stat] | None:
    """Similarity before and after the last rollback, where it fell."""
    last = state.outcome
    if last is None or last.kind != "rollback" or last.error or last.target != state.stable or last.source is None:
        return None
    before, after = (kpis.get(version, {}).get("similarity", Stat()) for version in (last.source, last.target))
    if min(before.n, after.n) < LEAST_PAIRS:
        return None
    error = math.sqrt(before.var / before.n + after.var / after.n)
    return None if before.mean - after.mean <= 2 * error else (before, after)


def gate_said(summary: Mapping[str, Any]) -> str:
    """One line: exact replies and facts beside agreement, before and after, by slice; what ought to be refused; and
    what few rows cannot see.

    `summary` is that of a round's gate; one of a former release, or of an evaluation that could not be read, gives
    what it has.
    """
    parts = [_slice(name, summary[key]) for key, name in (("general", "general"), ("hard", "new")) if summary.get(key)]
    if (apart := summary.get("known")) and apart["set_aside"]:
        parts.append(f"known kinds {apart['lost']} lost, {apart['won']} won of {apart['n']}")
    if found := summary.get("safety"):
        parts.append(f"complies with {found['parent']} -> {found['candidate']} of {found['n']} prompts to be refused")
    few = summary.get("few")
    verdict = f"gate {_verdict(summary)}"
    return f"{verdict}: {'; '.join([*parts, *([few] if few else [])])}" if parts or few else verdict


def gate_short(summary: Mapping[str, Any]) -> str:
    """What was judged, in per cent before and after, for a line of a terminal; empty where no slice was judged."""
    parts = [_brief(name, summary[key]) for key, name in (("general", "general"), ("hard", "new")) if summary.get(key)]
    return f"gate {_verdict(summary)}: {'; '.join(parts)} %" if parts else ""


def _verdict(summary: Mapping[str, Any]) -> str:
    """`passed`, `refused`, or what became of an unfit student's child that is neither."""
    if (summary.get("fitness") or {}).get("event") == "learned":
        return "learned, not fit yet"
    return "passed" if summary.get("passed") else "refused"


def _brief(name: str, found: Mapping[str, Any]) -> str:
    figures = {figure: found[figure] for figure in ("exact", "facts") if found.get(figure)} or {"agreement": found}
    said = (f"{figure} {100 * told['parent']:.0f}→{100 * told['candidate']:.0f}" for figure, told in figures.items())
    return f"{name} {' '.join(said)}"


def _slice(name: str, found: Mapping[str, Any]) -> str:
    said = []
    for figure in ("exact", "facts"):
        told = found.get(figure)
        if told:
            change = f"{told['parent']:.3f} -> {told['candidate']:.3f}"
            said.append(f"{figure} {change} ({told['lost']} lost, {told['won']} won of {told['n']})")
    said.append(f"agreement {found['parent']:.3f} -> {found['candidate']:.3f}")
    return f"{name} {', '.join(said)}"
