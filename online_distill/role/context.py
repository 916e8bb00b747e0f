"""What a stage is given, and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from deploy.life.config import GateConfig
from deploy.registry.store import Registry
from deploy.rounds.record import Round
from deploy.rounds.store import RoundStore
from deploy.routing.document import EXTERNAL
from feedback.events import HardSample
from feedback.privacy.vault import Vault
from online_distill.progress import Progress
from online_distill.role.config import TrainerConfig
from online_distill.teacher.cache import Memory, TargetCache
from online_distill.teacher.scorer import Scorer
from understudy.clock import Clock, monotonic
from understudy.errors import UnderstudyError


class Stopped(UnderstudyError):
    """The trainer was asked to stop; the stage goes on at the next start."""


class Source(Protocol):
    """Where samples come from; `online_distill.data.source` reads the hard pool."""

    def hard(self, n: int) -> Sequence[HardSample]:
        """Up to `n` hard samples, uniform within quotas."""
        ...

    def fresh(self, position: int, student: str) -> Sequence[HardSample]:
        """Hard samples with a failed check of `student` that were admitted after `position`."""
        ...

    def anchors(self, n: int) -> Sequence[HardSample]:
        """Up to `n` exchanges that passed their checks, or are of the half that stands for all traffic."""
        ...

    def position(self) -> int:
        """Number of the newest hard sample; the next round counts from there."""
        ...

    def fresh_since(self, position: int, student: str, enough: int) -> int:
        """How many `fresh` would give; a rough number below `enough`."""
        ...

    def purged(self) -> Mapping[str, float]:
        """Up to when (seconds since the epoch) tenants were purged: what is kept of them goes, too."""
        ...


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """How a stage ended: an event of the rounds' table, and its summary."""

    summary: dict[str, Any]
    event: Literal["done", "rejected", "failed"] = "done"


@dataclass(frozen=True, slots=True)
class Context:
    """One round and everything that its stages may touch."""

    round: Round
    rounds: RoundStore
    registry: Registry
    config: TrainerConfig
    source: Source
    make_scorer: Callable[[Round], Scorer]
    gate: GateConfig | None = None
    """What will judge the candidate; None: nobody waits for rows to judge on."""
    vault: Vault | None = None
    """Under whose keys the rows lie on disk; None: as they are."""
    stopped: Callable[[], bool] = field(default=lambda: False)
    clock: Clock = monotonic

    def folder(self, stage: str) -> Path:
        """The round's folder of `stage`."""
        return self.rounds.folder(self.round.id, stage)

    def summary(self, stage: str) -> dict[str, Any]:
        """What an earlier stage said."""
        return self.round.stages[stage].summary

    def memory(self) -> Memory | None:
        """Targets of earlier rounds' texts; None where none are kept, or the teacher has no version that names it."""
        if self.config.cache_mb == 0 or self.round.teacher == EXTERNAL:
            return None
        cache = TargetCache(self.rounds.kept / "targets", self.config.cache_mb * 1_000_000)
        return Memory(cache, self.round.teacher, self.config.top_k)

    def progress(self, stage: str) -> Progress:
        """A reporter for `stage`, which also ends the stage when a stop was asked for.

        Raises (the reporter):
            Stopped: see there.
        """

        def report(done: float, total: float, note: str) -> None:
            self.rounds.progress(self.round.id, stage, done, total, note)
            if self.stopped():
                raise Stopped("the trainer stops; the round goes on at its next start")

        return report
