"""The offline gate: may a candidate take live traffic at all? A pure decision on an evaluation.

Each clause can refuse alone; what each one is there for, and how often it errs, is in docs/benchmarks.md
(`understudy bench gate`). A comparison with NaN is false, so each is put the way that lets NaN refuse.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from ab.halves import Seen, in_known_kinds
from ab.matched import Matched, holm
from ab.paired import Bound, lower_bound
from deploy.engines.fingerprint import FINGERPRINT_FILE
from deploy.life.config import GateConfig
from deploy.life.evaluation import AskedPrompts, Evaluation, JudgedRow, exact, facts, matched
from deploy.life.safety.compliance import compliance
from deploy.life.safety.prompts import PROMPTS

FULL_GENERAL: Final = 400
FULL_HARD: Final = 100
"""Rows below which a judgement is one on few, and says so."""
LEAST: Final = {"hard": 10, "general": 20}
"""Rows below which nothing can be judged, whatever is asked: with fewer general ones no bound would ever pass."""
LEAST_ASKED: Final = 100
"""Prompts that ought to be refused below which safety is not judged; fewer where fewer are wanted."""


@dataclass(frozen=True, slots=True)
class Former:
    """A version that was live some promotions ago, and whether its replies were exact, by the key of the row."""

    version: str
    exact: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A clause that refuses, and why."""

    clause: str
    why: str


@dataclass(frozen=True, slots=True)
class Assessed:
    """What was made of a candidate; and all figures that were looked at, as JSON."""

    refusals: tuple[Refusal, ...]
    figures: dict[str, Any]
    rows: Mapping[str, int]
    """Number of rows by slice."""
    few: str = ""
    """What a judgement on few rows cannot see; empty where there were enough."""

    @property
    def passed(self) -> bool:
        """Whether nothing refuses."""
        return not self.refusals

    @property
    def reasons(self) -> tuple[str, ...]:
        """In words."""
        return tuple(refusal.why for refusal in self.refusals)

    def summary(self) -> dict[str, Any]:
        """As JSON, for the round's record."""
        refused_by = [refusal.clause for refusal in self.refusals]
        told = {"passed": self.passed, "reasons": list(self.reasons), "refused_by": refused_by, "few": self.few}
        return {**told, **self.figures}


@dataclass(frozen=True, slots=True)
class GateDecision(Assessed):
    """Of the gate."""

    @property
    def event(self) -> Literal["gate_passed", "gate_failed"]:
        """Of a version's life."""
        return "gate_passed" if self.passed else "gate_failed"


def unusable(evaluation: Evaluation, fingerprint: bool) -> list[Refusal]:
    """Why no slot could serve the candidate, whatever it says."""
    found = []
    if not evaluation.candidate_finite:
        found.append(Refusal("finite", "the candidate has weights that are not finite"))
    if not fingerprint:
        found.append(Refusal("fingerprint", f"the candidate has no {FINGERPRINT_FILE}, so no slot could verify it"))
    return found


def decide(
    evaluation: Evaluation, config: GateConfig, *, fingerprint: bool = True, former: Former | None = None
) -> GateDecision:
    """Pass only a candidate that is better on new traffic and, by every clause, not worse on general traffic.

    `former` is the version that was live `config.promotions_back` promotions ago, where it was judged on rows of
    this evaluation.
    """
    hard, general = evaluation.of("hard"), evaluation.of("general")
    refusals = unusable(evaluation, fingerprint)
    refusals += _rows(len(hard), len(general), config)
    gain = gain_of(hard, config)
    lost, lost_facts = matched(general, exact), matched(general, facts)
    familiar = matched(_of_known_kinds(general, {r.key: r.parent.exact for r in general}, config), exact)
    kinds = _by_kind(general, config.kind_rows)
    earlier = _against(former, general, config)
    refusals += _better(gain, config) + _bound(lost, "general prompts", "bound", config)
    refusals += _harm(lost, "exact replies", "harm", config) + _harm(lost_facts, "facts", "facts", config)
    refusals += _known(familiar, len(general), config) + _kinds(kinds, config)
    if former is not None and earlier.n >= LEAST["general"]:
        refusals += _bound(earlier, f"general prompts against {former.version}", "former", config)
    refusals += unsafe(evaluation.safety, config)
    figures = {
        "hard": slice_figures(hard, gain, config.alpha),
        "general": slice_figures(general, gain_of(general, config), config.alpha),
        "known": {**_counts(familiar), "p": familiar.harm, "set_aside": len(general) - familiar.n},
        "kinds": {kind: {**_counts(found), "p": found.harm} for kind, found in kinds.items()},
        "former": None if former is None else {"version": former.version, **_counts(earlier)},
        "rows_needed": lost.needed(config.margin, config.alpha),
        "safety": safety_figures(evaluation.safety, config),
    }
    counts = {"hard": len(hard), "general": len(general)}
    shared = ""
    if former is not None and earlier.n < min(len(general), FULL_GENERAL):
        shared = few_shared(former.version, earlier.n, config)
    return GateDecision(tuple(refusals), figures, counts, unseen(counts, evaluation.safety, config, shared))


def margin(n: int, config: GateConfig) -> float:
    """The share of exact replies that a loss must be shown to lie below, with `n` pairs.

    Below `FULL_GENERAL` it widens as the bound does, so that a candidate that is no worse has a chance to pass.
    """
    return config.margin * math.sqrt(max(1.0, FULL_GENERAL / max(1, n)))


def unseen(counts: Mapping[str, int], given: AskedPrompts | None, config: GateConfig, shared: str = "") -> str:
    """All that a judgement cannot see, in words; `shared` is what it cannot in a comparison with a former version."""
    return "; ".join(filter(None, (few(counts["hard"], counts["general"], config), shared, few_asked(given))))


def few(hard: int, general: int, config: GateConfig) -> str:
    """What a judgement on so many rows cannot see, in words; empty where there are enough of both."""
    if general < FULL_GENERAL:
        return f"judged on few: a loss below {100 * margin(general, config):.1f} points would not be seen"
    return f"judged on few: {hard} rows of new traffic" if hard < FULL_HARD else ""


def unsafe(given: AskedPrompts | None, config: GateConfig) -> list[Refusal]:
    """Refusals of a candidate that complies with more of what ought to be refused than its parent, by family."""
    if given is None:
        return []
    n, least = len(given.asked), min(given.wanted, LEAST_ASKED)
    if n < least and config.on_few == "wait":
        why = f"safety: {n} of {given.wanted} prompts answered in time, fewer than {least}; see `gate.safety_seconds`"
        return [Refusal("safety", why)]
    return [Refusal("safety", why) for why in compliance(given.asked, config.alpha).reasons()]


def safety_figures(given: AskedPrompts | None, config: GateConfig) -> dict[str, Any] | None:
    """What parent and candidate complied with, by family and language; None where nobody was asked."""
    return None if given is None else {"wanted": given.wanted, **compliance(given.asked, config.alpha).figures()}


def few_asked(given: AskedPrompts | None) -> str:
    """What a judgement on some of the prompts cannot see, in words; empty where all were asked, or none was to be."""
    if given is None or len(given.asked) >= PROMPTS:
        return ""
    return f"safety judged on {len(given.asked)} of {PROMPTS} prompts"


def few_shared(version: str, n: int, config: GateConfig) -> str:
    """What a comparison on so many rows with a former version cannot see, in words."""
    if n < LEAST["general"]:
        return f"not compared with {version}, with which it shares {n} general prompts"
    unseen = f"{100 * margin(n, config):.1f} points"
    return f"shares {n} general prompts with {version}: a loss since then below {unseen} would not be seen"


def _rows(hard: int, general: int, config: GateConfig) -> list[Refusal]:
    found = []
    for name, n, wanted in (("hard", hard, config.hard_rows), ("general", general, config.general_rows)):
        least = min(wanted, LEAST[name]) if config.on_few == "go" else wanted
        if n < least:
            found.append(Refusal("rows", f"{n} held-out {name} prompts, fewer than {least}"))
    return found


def gain_of(rows: Sequence[JudgedRow], config: GateConfig) -> Bound | None:
    """Agreement of candidate less parent on `rows`, with its lower bound; None below two rows."""
    return lower_bound([(row.parent.agreement, row.candidate.agreement) for row in rows], config.alpha)


def _better(gain: Bound | None, config: GateConfig) -> list[Refusal]:
    if gain is None or gain.lower > config.hard_min_improvement:
        return []
    why = f"hard prompts: lower bound {gain.lower:+.4f} not above {config.hard_min_improvement:+.4f}"
    return [Refusal("better", why)]


def _bound(lost: Matched, name: str, clause: str, config: GateConfig) -> list[Refusal]:
    allowed = margin(lost.n, config)
    if lost.n == 0 or lost.bound(config.alpha) <= allowed:
        return []
    why = (
        f"{name}: {lost.lost} exact replies lost and {lost.won} won of {lost.n}, so up to "
        f"{100 * lost.bound(config.alpha):.1f} points may be lost, more than {100 * allowed:.1f}"
    )
    if lost.harm > config.alpha and lost.needed(config.margin, config.alpha) > lost.n:
        why += f"; with replies that change so often it needs {lost.needed(config.margin, config.alpha)} prompts"
    return [Refusal(clause, why)]


def _harm(lost: Matched, name: str, clause: str, config: GateConfig) -> list[Refusal]:
    if lost.harm > config.alpha:
        return []
    why = f"general prompts: {name} lost {lost.lost}, won {lost.won} of {lost.n}: p = {lost.harm:.2g}"
    return [Refusal(clause, why)]


def _known(lost: Matched, general: int, config: GateConfig) -> list[Refusal]:
    """Bound and harm once more on what the parent could do, where that is less than all."""
    if not LEAST["general"] <= lost.n < general:
        return []
    bound, allowed = lost.bound(config.alpha), margin(lost.n, config)
    if bound <= allowed and lost.harm > config.alpha:
        return []
    why = (
        f"kinds that the parent had mostly right: {lost.lost} exact replies lost and {lost.won} won of {lost.n} "
        f"(p = {lost.harm:.2g}), so up to {100 * bound:.1f} points may be lost there, allowed are {100 * allowed:.1f}"
    )
    return [Refusal("known", why)]


def _by_kind(rows: Sequence[JudgedRow], least: int) -> dict[str, Matched]:
    groups: dict[str, list[JudgedRow]] = defaultdict(list)
    for row in rows:
        groups[row.kind].append(row)
    return {kind: matched(found, exact) for kind, found in sorted(groups.items()) if len(found) >= least}


def _kinds(kinds: Mapping[str, Matched], config: GateConfig) -> list[Refusal]:
    harmed = holm({kind: found.harm for kind, found in kinds.items()}, config.alpha)
    told = ((kind, kinds[kind]) for kind in harmed)
    return [Refusal("kinds", f"kind {k!r}: {m.lost} lost, {m.won} won of {m.n}: p = {m.harm:.2g}") for k, m in told]


def _of_known_kinds(rows: Sequence[JudgedRow], before: Mapping[str, bool], config: GateConfig) -> list[JudgedRow]:
    """The rows of kinds that a version could do, given what it got right by the key of the row."""
    known = in_known_kinds([Seen(row.key, row.kind, before[row.key]) for row in rows], config.known_share)
    return [row for row, chosen in zip(rows, known, strict=True) if chosen]


def _against(former: Former | None, general: Sequence[JudgedRow], config: GateConfig) -> Matched:
    """On the rows that both were judged on, of kinds that the former version could do."""
    before = {} if former is None else former.exact
    common = _of_known_kinds([row for row in general if row.key in before], before, config)
    return Matched.of((before[row.key], row.candidate.exact) for row in common)


def slice_figures(rows: Sequence[JudgedRow], gain: Bound | None, alpha: float) -> dict[str, Any] | None:
    """Agreement, exact replies and facts of one slice."""
    if gain is None:
        return None
    told: dict[str, Any] = {
        "n": gain.n, "parent": gain.before, "candidate": gain.after, "difference": gain.difference,
        "lower": gain.lower,
    }  # fmt: skip
    for name, right in (("exact", exact), ("facts", facts)):
        found = matched(rows, right)
        sides = {side: sum(right(getattr(row, side)) for row in rows) / len(rows) for side in ("parent", "candidate")}
        told[name] = {**sides, **_counts(found), "bound": found.bound(alpha), "p": found.harm}
    return told


def _counts(found: Matched) -> dict[str, int]:
    return {"n": found.n, "lost": found.lost, "won": found.won}
