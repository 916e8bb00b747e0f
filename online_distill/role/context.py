"""What a stage is given, and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from deploy.engines.knowledge import Knowledge
from deploy.life.config import GateConfig
from deploy.registry.store import Registry
from deploy.rounds.record import Round
from deploy.rounds.store import RoundStore
from deploy.routing.document import EXTERNAL
from feedback.events import HardSample
from feedback.privacy.vault import Vault
from online_distill.data.encoding import Encoder
from online_distill.data.rows import Row
from online_distill.progress import Progress
from online_distill.role.config import TrainerConfig
from online_distill.teacher.cache import Memory, TargetCache
from online_distill.teacher.replies import ReplyScorer
from online_distill.teacher.scorer import Scorer
from online_distill.teacher.texts import Text, texts_of
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
    make_scorer: Callable[[Round], Scorer | ReplyScorer]
    knowledge: Knowledge = field(default_factory=Knowledge)
    """What of the teacher is learned from."""
    gate: GateConfig | None = None
    """What will judge the candidate; None: nobody waits for rows to judge on."""
    unfit: bool = False
    """Whether the parent only learns, so that the round waits for no more rows than its judgement needs."""
    vault: Vault | None = None
    """Under whose keys rows and targets lie on disk; None: as they are."""
    stopped: Callable[[], bool] = field(default=lambda: False)
    clock: Clock = monotonic

    def folder(self, stage: str) -> Path:
        """The round's folder of `stage`."""
        return self.rounds.folder(self.round.id, stage)

    @property
    def top_k(self) -> int:
        """Tokens at each position of this round's targets: no more than the teacher tells."""
        return min(self.config.top_k, self.knowledge.width or self.config.top_k)

    def summary(self, stage: str) -> dict[str, Any]:
        """What an earlier stage said."""
        return self.round.stages[stage].summary

    def memory(self) -> Memory | None:
        """Targets of earlier rounds' texts; None where none are kept, nothing names the teacher, or there are no keys.

        Nor are any kept of text alone: they cost nothing, and would stand in the way of better ones.
        """
        named = self.knowledge.identity if self.round.teacher == EXTERNAL else self.round.teacher
        if self.config.cache_mb == 0 or not named or self.vault is None or self.knowledge.level == "text":
            return None
        cache = TargetCache(self.rounds.kept / "targets", self.config.cache_mb * 1_000_000, self.vault)
        return Memory(cache, named, self.top_k)

    def texts(self, rows: Sequence[Row], encoder: Encoder) -> list[Text]:
        """What of the rows is scored, in the order of scoring."""
        return texts_of(rows, encoder, self.config, student_texts=self.knowledge.level == "logprobs")

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
