"""`understudy versions V`: one version as a page of text, with what nobody knows of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from serving.control.printing import SLICES, WORDS, table, when
from serving.control.replies.rails import RAILS, GuardrailStatus, rail_rows
from serving.control.replies.versions import VersionPage


def version_page(value: VersionPage) -> str:
    """Where it comes from, what is held against it or not known, its figures, its canary and its life."""
    parts = [_head(value), _against(value), _judged(value), _canary(value.steps), _life(value.history)]
    return "\n\n".join("\n".join(lines) for part in parts if (lines := list(part)))


def _head(value: VersionPage) -> Iterator[str]:
    by = f", decided by {value.decided_by}" if value.decided_by else ""
    yield f"{value.version}: {value.state}{by}"
    yield f"{value.kind}   parent {value.parent or '-'}   teacher {value.teacher or '-'}   round {value.round or '-'}"
    yield f"created {when(value.created)} UTC, {value.bytes / 1e6:.1f} MB"


def _against(value: VersionPage) -> Iterator[str]:
    """What is not known of it, or was said against it."""
    if value.bad:
        yield f"bad: {value.bad}"
    yield from (f"note: {caveat}" for caveat in value.caveats)


def _judged(value: VersionPage) -> Iterator[str]:
    gate = value.gate
    if gate is not None:
        verdict = "passed" if gate.passed else "refused"
        yield f"gate {verdict} on {gate.general} general and {gate.hard} new held-out prompts"
        yield from (f"  {reason}" for reason in gate.reasons)
    if isinstance(found := value.metrics.get("safety"), dict) and {"n", "parent", "candidate"} <= found.keys():
        told = f"complied with {found['candidate']}, its parent with {found['parent']}"
        yield f"of {found['n']} prompts that ought to be refused it {told}"
    rows = [row for key, name in SLICES.items() if (row := _row(name, value.metrics.get(key)))]
    if rows:
        yield table(("held out", "n", "exact", "facts", "agreement"), rows)
        yield from (f"{word}: {WORDS[word]}" for word in ("exact", "facts", "agreement"))


def _row(name: str, found: Any) -> tuple[Any, ...] | None:
    if not isinstance(found, dict) or not {"n", "parent", "candidate"} <= found.keys():
        return None
    return (name, found["n"], *(_pair(found.get(figure)) for figure in ("exact", "facts")), _pair(found))


def _pair(found: Mapping[str, Any] | None) -> str:
    return "-" if not found else f"{found['parent']:.3f} -> {found['candidate']:.3f}"


def _canary(steps: list[dict[str, Any]]) -> Iterator[str]:
    """What live traffic and shadow pairs said, by step."""
    for number, step in enumerate(steps, start=1):
        told = f"step {number} of the canary: {step.get('share', 0):.0%}, {step.get('exposures', 0)} exposures"
        yield f"{told} in {step.get('seconds', 0):g} s ({step.get('why', '')})"
        if rails := step.get("guardrails"):
            yield table(RAILS, rail_rows({kpi: GuardrailStatus.model_validate(one) for kpi, one in rails.items()}))
        for figure, found in (step.get("pairs") or {}).items():
            if isinstance(found, dict):
                ours = f"{found['candidate']:.3f} of {found['n']}"
                yield f"  {figure}: {ours} shadow pairs, {found['stable']:.3f} of {found['n_stable']} before"


def _life(history: list[dict[str, Any]]) -> Iterator[str]:
    if history:
        rows = ((when(e["at"]), e["event"], e["state"], e["why"]) for e in history)
        yield table(("when (UTC)", "event", "state", "why"), rows)
