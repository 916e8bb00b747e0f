"""The control plane's replies as short text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from deploy.engines.knowledge import Knowledge, KnowledgeLevel
from serving.control.replies.breaker import BreakerStatus
from serving.control.replies.counts import KpisReply, PoolReply, PurgeReply
from serving.control.replies.dead import LettersReplayedReply, LettersReply
from serving.control.replies.rails import RAILS, rail_rows
from serving.control.replies.rounds import RoundAbortedReply, RoundRequestedReply, RoundsReply
from serving.control.replies.status import RoundStatus, StatusReply, TeacherStatus, UnfitStatus
from serving.control.replies.versions import FrozenReply, MoveReply, VersionsReply

SLICES = {"general": "general", "hard": "new"}
"""Slices by the names that people read."""
WORDS = {
    "similarity": "how alike the texts of teacher and student are, on shadow pairs of live traffic; 1 is the same",
    "agreement": "share of the teacher's tokens that are the student's choice too, on held-out prompts (gate)",
    "exact": "share of the teacher's replies of which every token is the student's choice, too (gate)",
    "facts": "share of replies with every number, date, name, code and amount of the teacher's (gate)",
}
"""What figures of this product mean that are easily taken for one another."""
AT_THE_CAP = "the cap is reached: copies to the teacher, learning and probes stop until midnight, serving goes on"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Columns as wide as their widest cell."""
    cells = [list(head), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join(lines)


def status(value: StatusReply) -> str:
    """`GET status`."""
    live = value.live
    lines = [
        f"epoch {value.epoch}   teacher {live.teacher}   student {live.student or 'none'}   "
        f"previous {', '.join(value.previous) or 'none'}",
        *noted(live.notes),
        *(f"student {live.student}: {caveat}" for caveat in live.caveats),
    ]
    rows = [
        (name, slot.desired, slot.version, slot.ready, slot.state, slot.in_flight if slot.reports else "")
        for name, slot in value.slots.items()
    ]
    lines += ["", table(("slot", "wanted", "loaded", "ready", "state", "in flight"), rows), ""]
    lines += [] if value.unfit is None else [*unfit(value.unfit), ""]
    current, rollout = value.round, value.rollout
    lines.append(f"round   {current.id} at {current.stage}{_outlook(current)}" if current.id else "round   none")
    if rollout is not None:
        step = "loading" if rollout.step < 0 else f"step {rollout.step + 1}, {rollout.exposures} requests"
        lines.append(f"rollout {rollout.version}: {step}")
        lines += [table(RAILS, rail_rows(rollout.guardrails))] if rollout.guardrails else []
    if value.operation is not None:
        lines.append(f"under way: {value.operation.kind} to {value.operation.target}")
    if (spent := value.spending) is not None:
        cap = f" of {spent.cap}" if spent.cap else ""
        told = f"answers {spent.primary}, copies {spent.shadow}, scoring {spent.scoring}, probes {spent.probes}"
        lines.append(f"tokens  {spent.total}{cap} today (UTC): {told}")
        lines += [f"tokens  {AT_THE_CAP}"] if spent.reached else []
    lines += _teacher(value.teacher)
    if not value.learning.possible:
        lines.append(f"learns  no: {value.learning.why}")
    elif value.learning.not_more:
        lines.append(f"learns  {learned(value.learning.by, value.learning.not_more)}")
    lines.append(f"pool    {value.pool.size} hard samples")
    lines.append(f"frozen  {', '.join(value.frozen) or 'nothing'}")
    lines += breakers(value.breaker)
    lines += [
        f"behind  {one.id} is at epoch {one.epoch}, not {value.epoch}"
        for one in value.gateways
        if one.epoch != value.epoch
    ]
    lines += [f"bad     {version}: {why}" for version, why in value.bad.items()]
    lines += ["", *(f"{word}: {meaning}" for word, meaning in WORDS.items())]
    return "\n".join(lines)


def breakers(value: BreakerStatus) -> list[str]:
    """Who and what is left alone; nothing where nobody is."""
    lines = [f"engine  {name} failed too often: {state}" for name, state in value.engines.items()]
    if value.open or value.half_open:
        named = f": {', '.join(value.users)}" if value.users else ""
        lines.append(f"breaker {value.open} users open, {value.half_open} half open{named}")
    return lines


def _teacher(found: TeacherStatus | None) -> list[str]:
    """What a teacher of somebody else gives, and what it answers otherwise."""
    if found is None:
        return []
    why = f"; asked in vain: {found.error}" if found.error else ""
    gives = f"gives {found.gives}" if found.gives else "was not asked yet what it gives"
    name = f" ({found.served})" if found.served else ""
    warnings = (
        f"WARNING the teacher answers otherwise since {when(c.at)} UTC: {'; '.join(c.what)}" for c in found.changes
    )
    return [f"teacher{name} {gives}{why}", *warnings]


def unfit(value: UnfitStatus) -> list[str]:
    """The student that only learns: its way, and what is missing."""
    rows = [
        (one.round, f"{one.parent} -> {one.version}", f"{one.before:.2f} -> {one.agreement:.2f}", f"{one.lower:.2f}",
         None if one.facts is None else f"{one.facts:.2f}", f"{one.exact:.2f}", one.n, one.better)
        for one in value.way
    ]  # fmt: skip
    head = ("round", "version", "of the teacher's tokens", "at least", "facts", "exact", "prompts", "better")
    lasts = "" if value.seconds is None else f": {about(value.seconds)} or more"
    return [
        f"unfit   {value.version} ({value.note}) learns and answers nobody; {value.wanted:g} makes it a candidate",
        *([table(head, rows)] if rows else []),
        f"missing {value.missing}{lasts}",
    ]


def learned(by: KnowledgeLevel | None, why: str) -> str:
    """What of the teacher is learned from, and why it is no more."""
    return Knowledge(level=by, why=why).said if by else ""


def _outlook(current: RoundStatus) -> str:
    if current.waits:
        return f" (waits: {current.waits})"
    return "" if current.ends_in is None else f", ends in {about(current.ends_in)}"


def about(seconds: float) -> str:
    """A time that nobody knows to the second."""
    if seconds < 120:
        return f"about {max(10, round(seconds, -1)):.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 7200 else f"about {seconds / 3600:.0f} h"


def versions(value: VersionsReply) -> str:
    """`GET versions`."""
    rows = [
        (
            v.version, v.state, when(v.created), v.parent, v.round, v.decided_by, general(v.metrics), v.bad or "",
            "; ".join(v.caveats),
        )
        for v in value.versions
    ]  # fmt: skip
    head = (
        "version",
        "state",
        "created (UTC)",
        "parent",
        "round",
        "decided by",
        "exact/facts/agreement",
        "bad",
        "note",
    )
    return table(head, rows)


def general(metrics: Mapping[str, Any]) -> str:
    """Exact replies, facts and agreement of a version on held-out general prompts, as far as they were measured."""
    slice_, facts = metrics.get("general"), metrics.get("facts")
    if isinstance(slice_, dict):
        found = [
            slice_.get("exact", {}).get("candidate"),
            slice_.get("facts", {}).get("candidate"),
            slice_.get("candidate"),
        ]
    else:
        found = [None, facts.get("general") if isinstance(facts, dict) else None, None]
    shown = [f"{value:.3f}" if isinstance(value, float | int) else "-" for value in found]
    return "/".join(shown) if set(shown) != {"-"} else ""


def moved(value: MoveReply) -> str:
    """The answer of a rollback or promotion."""
    lines = [f"{value.source} -> {value.to} at epoch {value.epoch} in {value.seconds:.2f} s"]
    taken = value.taken_back
    if taken is not None:
        of = "" if taken.round is None else f" of round {taken.round}"
        lines.append(f"candidate {taken.version}{of} was taken back")
    lines += [f"{value.to}: {caveat}" for caveat in value.caveats]
    if value.behind:
        lines.append(f"gateways that do not follow yet: {', '.join(value.behind)}; `understudy status` shows them")
    return "\n".join([*lines, *_warning(value)])


def rolled_back(value: MoveReply) -> str:
    """The answer of a rollback, which freezes promotion."""
    return f"{moved(value)}\npromotion is frozen until `understudy resume promotion`"


def rounds(value: RoundsReply) -> str:
    """`GET rounds`."""
    rows = [
        (r.id, r.state, r.parent, r.candidate, when(r.started), r.why,
         " ".join(f"{name} {s.seconds:.0f}s" for name, s in r.stages.items()), r.gate, r.ended or "")
        for r in value.rounds
    ]  # fmt: skip
    head = ("round", "state", "parent", "candidate", "started (UTC)", "why", "stages", "gate", "ended because")
    return "\n".join([table(head, rows), *noted(value.notes)])


def frozen(value: FrozenReply) -> str:
    """The answer of `POST freeze` and `POST resume`."""
    return "\n".join([f"frozen: {', '.join(value.frozen) or 'nothing'}", *_warning(value)])


def requested(value: RoundRequestedReply) -> str:
    """The answer of `POST rounds`."""
    waits = f"; it waits: {value.waits}" if value.waits else ""
    return f"asked the trainer for a round{waits}; `understudy rounds list` shows it"


def aborted(value: RoundAbortedReply) -> str:
    """The answer of `POST rounds/abort`."""
    taken = f"; candidate {value.candidate} was taken back" if value.candidate else ""
    return f"round {value.round} ended at {value.stage}: {value.why}{taken}"


def kpis(value: KpisReply) -> str:
    """`GET kpis`."""
    figures = [
        (name, kpi, f"{one.value:.4f}", _interval(one.lower, one.upper), one.users)
        for name, group in value.figures.items()
        for kpi, one in group.items()
    ]
    times = [
        (name, f"{kpi}_{q}", f"{one.value:.3f} s", _interval(one.lower, one.upper))
        for name, group in value.quantiles.items()
        for kpi, of in group.items()
        for q, one in of.items()
    ]
    rows = [
        (name, kpi, s.n, f"{s.mean:.4f}", f"{s.var**0.5:.4f}")
        for name, group in value.kpis.items()
        for kpi, s in group.items()
    ]
    flagged = [(one.tenant, one.verdict, one.stage, one.arm, one.version, one.n) for one in value.flagged]
    lines = [
        *noted(value.notes),
        table((value.by, "over distinct users", "value", "95 % interval", "users"), figures), "",
        table((value.by, "time", "value", "95 % interval"), times), "",
        table((value.by, "single values", "n", "mean", "sd"), rows), "",
        table(("tenant", "guard", "stage", "arm", "version", "requests kept"), flagged), "",
        "memory  " + ", ".join(f"{name} {n / 1e6:.1f} MB" for name, n in value.bytes.items()),
        "counted " + (", ".join(f"{name} {n}" for name, n in value.counters.items()) or "no feedback"),
    ]  # fmt: skip
    return "\n".join(lines)


def pool(value: PoolReply) -> str:
    """`GET pool`."""
    return table(("kind", "samples"), [("all", value.size), *value.by_kind.items()])


def purged(value: PurgeReply) -> str:
    """The answer of `DELETE pool`."""
    lines = [f"removed {value.removed} samples of {value.tenant}, {value.rows} rows of rounds; its key is destroyed"]
    if value.ended is not None:
        lines.append(f"round {value.ended}, which drew on it, is ended")
    if value.learned:
        lines.append(f"versions that learned from it, and keep what they learned: {', '.join(value.learned)}")
    if value.inherited:
        lines.append(f"versions trained from those: {', '.join(value.inherited)}")
    return "\n".join(lines)


def letters(value: LettersReply) -> str:
    """`GET dead`."""
    if not value.letters:
        return f"{value.topic} has no dead letters"
    rows = [
        (one.id[:12], one.state, when(one.at) if one.at else None, one.session[:24], one.error[:70].replace("\n", " "))
        for one in value.letters
    ]
    return table(("letter", "state", "buried (UTC)", "session", "why"), rows)


def replayed(value: LettersReplayedReply) -> str:
    """The answer of `POST dead/replay`."""
    lines = [f"put {len(value.replayed)} letters back into {value.topic}"]
    if value.before:
        lines.append(f"{len(value.before)} had been put back before and count once")
    return "\n".join(lines + [f"{identity[:12]} was not: {why}" for identity, why in value.failed.items()])


def noted(notes: Mapping[str, str]) -> list[str]:
    """A line of each version with something that stands beside its figures."""
    return [f"{version}: {note}" for version, note in sorted(notes.items())]


def when(at: float) -> str:
    """Seconds since the epoch as a date."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _warning(value: MoveReply | FrozenReply) -> list[str]:
    return [f"warning: {value.warning}"] if value.warning else []


def _interval(lower: float | None, upper: float | None) -> str | None:
    return None if lower is None or upper is None else f"{lower:.4f} to {upper:.4f}"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
