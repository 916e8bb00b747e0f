"""One picture of the running system, for the live view and for the plain lines. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.life.evaluation import Slice
from deploy.life.slices import SliceChange
from serving.control.printing import about

SHORT = 48
"""Characters of a caveat on the line of figures; its event has all of it."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One engine slot as its heartbeat tells it; `wanted` is empty where it has nothing to do."""

    name: str
    version: str = "-"
    state: str = "away"
    ready: bool = False
    in_flight: int = 0
    wanted: str = ""
    why: str = ""
    """Why the version that is wanted cannot be served here."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The round under way; `done` of `total` in units of the stage."""

    round: int
    name: str
    done: float = 0.0
    total: float = 0.0
    note: str = ""
    left: float | None = None
    """Seconds until the round ends if nothing is refused; None where nothing says."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that is shown. Shares are in [0, 1], None where nothing was seen yet."""

    seconds: float = 0.0
    sent: int = 0
    failed: int = 0
    truncated: int = 0
    mixed: int = 0
    rate: float = 0.0
    arms: dict[str, float] = field(default_factory=dict)
    similarity: dict[str, float] = field(default_factory=dict)
    """Rolling mean similarity of the two replies of shadow pairs by kind of question."""
    facts: dict[str, float] = field(default_factory=dict)
    pool: int = 0
    hard: dict[str, int] = field(default_factory=dict)
    stage: Stage | None = None
    epoch: int = 0
    stable: str = "-"
    unfit: str = ""
    """The student that learns and answers nobody; empty where one is live, or there is none."""
    fitness: str = ""
    """How far it is."""
    way: tuple[float, ...] = ()
    """Its share of the teacher's tokens after each round that made it better, oldest first."""
    wanted: float = 1.0
    """The share that makes it a candidate."""
    missing: str = ""
    """What it lacks, and what the rounds so far say of the rest of its way."""
    least: str = ""
    """How many rounds that takes at least, and how long; empty where nothing says."""
    candidate: str = ""
    share: float = 0.0
    previous: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    slots: tuple[Slot, ...] = ()
    behind: dict[str, int] = field(default_factory=dict)
    """Gateways that do not follow, with the epoch that they still route by."""
    down: tuple[str, ...] = ()
    """Roles that are not running."""
    gate: str = ""
    """What the gate of the latest round saw; empty before it."""
    gate_short: str = ""
    """The same on a line of a terminal."""
    few: str = ""
    """What its judgement on few rows could not see; empty where there were enough."""
    drawn: str = ""
    """What the latest round drew and why, and what it left out; empty before that."""
    drawn_short: str = ""
    """The same on a line of a terminal."""
    slices: Mapping[Slice, SliceChange] = field(default_factory=dict)
    """What was judged of its candidate, before and after; empty before that."""
    caveats: tuple[str, ...] = ()
    """What is not known of the live version, or was said against it; the latest first."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """By version that answers or learns, what stands beside its figures, such as that it was dequantised."""
    fell: str = ""
    """What the last rollback cost in live similarity; empty where it cost nothing that is seen."""
    fell_short: str = ""
    """The same in half a line of a terminal."""
    events: tuple[str, ...] = ()

    @property
    def waits(self) -> str:
        """What holds up the round, or the next one; empty when nothing does."""
        holder = "learning" if self.stage is None else "promotion" if self.stage.name == "canary" else ""
        return f"{holder} is frozen" if holder in self.frozen else ""

    @property
    def lacking(self) -> list[str]:
        """Slots that should serve and do not, each with its state."""
        return [f"{slot.name} ({slot.state})" for slot in self.slots if slot.wanted and not slot.ready]


def line(now: Figures) -> str:
    """`now` on one line, for a terminal that is none."""
    parts = [f"{now.seconds:6.0f} s", f"sent {now.sent} ({now.rate:.1f}/s)", f"failed {now.failed}"]
    if now.arms:
        parts.append(" ".join(f"{arm} {share:.0%}" for arm, share in sorted(now.arms.items())))
    if now.similarity:
        parts.append("similarity " + " ".join(f"{k} {v:.2f}" for k, v in sorted(now.similarity.items())))
    parts.append(f"hard {now.pool}")
    if now.stage is not None:
        of = f" {now.stage.done:.0f}/{now.stage.total:.0f}" if now.stage.total else ""
        ends = "" if now.stage.left is None else f", ends in {about(now.stage.left)}"
        parts.append(f"round {now.stage.round} {now.stage.name}{of}{ends}")
    if now.waits:
        parts.append(f"waits: {now.waits}")
    parts += [f"unfit {now.unfit} {now.fitness}".rstrip()] if now.unfit else []
    against = f" ({'; '.join(_short(caveat) for caveat in now.caveats)})" if now.caveats else ""
    live = f"live {now.stable}{against}" + (f", candidate {now.candidate} at {now.share:.0%}" if now.candidate else "")
    parts.append(live)
    parts += [f"{version}: {note}" for version, note in now.notes.items()]
    warnings = {"frozen": now.frozen, "not ready": now.lacking, "behind": now.behind, "down": now.down}
    parts += [f"{name}: {', '.join(what)}" for name, what in warnings.items() if what]
    parts += [now.fell] if now.fell else []
    return " | ".join(parts)


def _short(caveat: str) -> str:
    return caveat if len(caveat) <= SHORT else f"{caveat[:SHORT]}…"
