"""What is measured, in which order, and how long that takes. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.gateway.candidates.earlier import AT
from bench.gateway.candidates.starting import ALL, BARE, OURS, TIMES
from bench.gateway.load import LOOK_SECONDS, Workload
from bench.gateway.streaming import RAMP_MS

PARTS = {
    "rates": "requests and streams a second beside the peers",
    "streams": "slow streams held at once",
    "workers": "several workers beside one",
    "memory": "memory under a mixed load",
    "budget": "what one exchange costs by step",
    "changes": "earlier states beside this one",
}
HELD = (Workload(512, 0, 16), Workload(512, 32, 16))
"""Where a rate is held for long, and the gateway is measured without this and that; the slowest peer only there."""
LOADS = (
    HELD[0], HELD[1], Workload(512, 0, 1), Workload(512, 0, 128), Workload(8 << 10, 0, 16), Workload(64 << 10, 0, 16),
    Workload(512, 32, 1), Workload(512, 32, 128), Workload(512, 512, 16),
)  # fmt: skip
QUICK_LOADS = (*HELD, Workload(64 << 10, 0, 16), Workload(512, 512, 16))
START = {"direct": 0.0, "nginx": 1.0, "asgi": 2.0, "sglang": 4.0, "litellm": 25.0}
"""Seconds until a candidate answers, roughly; ours: `OURS_START`."""
OURS_START = 6.0
SHARE = 16
"""Connections for each of several workers."""
SLOWEST = "litellm"


@dataclass(frozen=True, slots=True)
class Lengths:
    """Seconds of the measurements."""

    short: float = 5.0
    held: float = 30.0
    streams: float = 120.0
    streams_beside: float = 30.0
    """Of those who are only compared with."""
    memory: float = 600.0


QUICK = Lengths(2.0, 2.0, 4.0, 4.0, 12.0)


@dataclass(frozen=True, slots=True)
class BenchStep:
    """One candidate under one workload; for a part without rates the workload is a number of streams, or 0."""

    part: str
    name: str
    load: Workload | int
    seconds: float
    takes: float
    """Seconds in all, roughly, where no event is dropped."""

    @property
    def workload(self) -> str:
        """What the record calls it."""
        if isinstance(self.load, Workload):
            return str(self.load)
        return f"{self.load} slow streams" if self.load else "steps" if self.part == "budget" else "mixed"


def steps(
    parts: Iterable[str], peers: Sequence[str], workers: int, lengths: Lengths, since: Sequence[str] = ()
) -> list[BenchStep]:
    """All steps of `parts` in their order; candidates take turns, so that a noisy machine is fair.

    `since` are the revisions of `changes`, which without any has no steps.
    """
    made: list[BenchStep] = []
    loads = QUICK_LOADS if lengths is QUICK else LOADS
    for part in (name for name in PARTS if name in set(parts)):
        if part == "rates":
            made += (_rate(name, load, lengths) for load in loads for name in _measured(load, peers))
        elif part == "workers":
            made += (_step("workers", name, load, 2 * lengths.short) for load, name in together(workers))
        elif part == "memory":
            filled = 1.5 * lengths.memory  # what is bounded is filled first
            made.append(BenchStep("memory", ALL, 0, lengths.memory, OURS_START + filled))
        elif part == "budget":
            made.append(_step("budget", ALL, 0, lengths.short))
        elif part == "changes":
            then = [f"{name}{AT}{revision}" for revision in since for name in (BARE, ALL)]
            beside = ["nginx", *then, BARE, ALL] if since else []
            made += (_step("changes", name, HELD[0], 2 * lengths.short) for name in beside)
        else:
            made += _streams(peers, lengths)
    return made


def together(workers: int) -> list[tuple[Workload, str]]:
    """Several workers, then one with what each of them had: a commit of one event costs as much as one of many."""
    several = Workload(512, 0, SHARE * workers)
    one = Workload(512, 0, SHARE)
    return [pair for name in (BARE, ALL) for pair in ((several, f"{name}{TIMES}{workers}"), (one, name))]


def minutes(made: Iterable[BenchStep]) -> dict[str, float]:
    """How long each part takes."""
    found: dict[str, float] = {}
    for step in made:
        found[step.part] = found.get(step.part, 0.0) + step.takes / 60
    return found


def _measured(load: Workload, peers: Sequence[str]) -> list[str]:
    held = load in HELD
    return ["direct", *(peer for peer in peers if held or peer != SLOWEST), *(OURS if held else (BARE, ALL))]


def _rate(name: str, load: Workload, lengths: Lengths) -> BenchStep:
    return _step("rates", name, load, lengths.held if load in HELD and name in OURS else lengths.short)


def _streams(peers: Sequence[str], lengths: Lengths) -> list[BenchStep]:
    beside = ["direct", *(peer for peer in peers if peer != SLOWEST)]
    few = [_step("streams", name, 16, lengths.short) for name in (*beside, BARE, ALL)]
    many = [_step("streams", name, 1000, lengths.streams_beside) for name in beside]
    return [*few, *many, *(_step("streams", name, 1000, lengths.streams) for name in (BARE, ALL))]


def _step(part: str, name: str, load: Workload | int, seconds: float) -> BenchStep:
    start = START.get(name, OURS_START)
    ramp = 1 if isinstance(load, Workload) else RAMP_MS / 1000 if load else 0
    look = LOOK_SECONDS + 1 if isinstance(load, Workload) and seconds > LOOK_SECONDS and name not in START else 0
    return BenchStep(part, name, load, seconds, start + look + ramp + seconds + 1)
