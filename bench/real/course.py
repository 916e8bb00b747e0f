"""Rounds of a cut student on a teacher's traffic, without engines: the product's own, one after another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.real.exam import RealExam
from bench.real.prompts import RealPrompt
from bench.real.replies import KeptReplies
from bench.real.telling import worked
from bench.real.traffic import TeachersTraffic
from deploy.life.config import GateConfig
from deploy.life.evaluation import Evaluation
from deploy.life.unfit.fitness import judge_unfit
from deploy.registry.store import Registry
from deploy.rounds.record import Round
from deploy.rounds.store import FileRounds
from online_distill.data.encoding import Encoder
from online_distill.role.config import TrainerConfig
from online_distill.role.context import Context
from online_distill.role.runner import run_round
from online_distill.teacher.local import LocalScorer
from online_distill.train.pace import Pace
from understudy.clock import Clock, monotonic
from understudy.files import read_json
from understudy.state import StateDir

ROUND_MINUTES = 5.0
ASKED_MINUTES = (5.0, 15.0, 30.0, 60.0)
"""After which a course is judged, beside its start and end: judging takes longer than a round."""

CLOCKS: dict[str, Clock] = {"wall": monotonic, "processor": time.process_time}
"""The second counts what all threads of this process had of the processor: other programs do not shorten a round."""


class ClockedConfig(TrainerConfig):
    """The trainer's settings, with training timed by a clock of one's own."""

    clock: str = "wall"

    def pace(self, seconds: float, token_seconds: float | None = None) -> Pace:
        return replace(super().pace(seconds, token_seconds), clock=CLOCKS[self.clock])


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a course is given: the prompts of its traffic, how many come before each round, the teacher's replies."""

    prompts: Sequence[RealPrompt]
    each: int
    replies: KeptReplies

    def before(self, number: int) -> list[RealPrompt]:
        """Those before round `number`, from 1; the file is played again once it is over."""
        first = (number - 1) * self.each
        return [self.prompts[(first + i) % len(self.prompts)] for i in range(min(self.each, len(self.prompts)))]


class Course:
    """The rounds of one cut in a state directory that holds teacher and cut."""

    def __init__(
        self, state: StateDir, student: str, config: ClockedConfig, gate: GateConfig, lesson: Lesson, exam: RealExam
    ) -> None:
        self._registry, self._rounds = Registry(state), FileRounds(state)
        self._student, self._config, self._gate = student, config, gate
        self._lesson, self._exam = lesson, exam
        teacher = self._registry.manifest(student).teacher or "t1"
        self._encoder = Encoder(self._registry.path(teacher))
        self._teacher = teacher
        self._scorer = SharedScorer(self._registry.path(teacher), top_k=config.top_k)

    def start(self) -> dict[str, Any]:
        """The row before any round."""
        return {"round": 0, "minutes": 0.0, "live": self._student, "marks": self._marks(self._student)}

    def round(self, before: dict[str, Any], minutes: float, until: float) -> dict[str, Any]:
        """The round after the row `before`, of so many minutes, in a course that ends at `until`; its own row.

        It counts for what it took where that is more: a round takes its least number of steps. What came of it is
        judged where `is_judged`.
        """
        live, number = str(before["live"]), int(before["round"]) + 1
        source = TeachersTraffic()
        for earlier in range(1, number + 1):
            asked = self._lesson.before(earlier)
            version = live if earlier == number else str(earlier)  # whose failures the earlier ones were, is over
            source.serve(earlier, version, asked, self._lesson.replies.of(asked), self._encoder)
        done = run_round(
            Context(
                round=self._rounds.current() or self._rounds.begin(live, self._teacher, "bench"),
                rounds=self._rounds, registry=self._registry, source=source,
                config=self._config.model_copy(update={"budget_seconds": 60 * minutes}), unfit=True,
                make_scorer=lambda _: self._scorer, clock=CLOCKS[self._config.clock],
            )
        )  # fmt: skip
        fitness = judge_unfit(self._evaluation(done), self._gate) if done.candidate else None
        better = fitness is not None and fitness.event != "gate_failed"
        if not done.finished:
            self._rounds.finish(done.id, "gate", {}, "rejected")
        live, told = str(done.candidate) if better else live, did(done)
        after = round(float(before["minutes"]) + max(minutes, worked(told)), 3)
        return {
            "round": number, "minutes": after,
            "live": live, "better": better, "fitness": fitness.summary()["fitness"] if fitness else None,
            "why": list(fitness.reasons) if fitness else [], "did": told,
            "marks": self._marks(live) if is_judged(before["minutes"], after, until) else {},
        }  # fmt: skip

    def _marks(self, version: str) -> dict[str, dict[str, float]]:
        return self._exam.mark(self._registry.path(version))

    def _evaluation(self, done: Round) -> Evaluation:
        return Evaluation.model_validate(read_json(self._rounds.folder(done.id, "evaluate") / "evaluation.json"))


class SharedScorer(LocalScorer):
    """The teacher's weights, which serve round after round."""

    def close(self) -> None:
        """They stay."""


def did(done: Round) -> dict[str, Any]:
    """What of a round's summaries its row keeps."""
    wanted = {
        "select": ("train_hard", "train_anchor", "holdout_hard", "holdout_anchor", "error"),
        "score": ("texts", "score_seconds", "error"),
        "distil": ("steps", "reply_tokens", "token_seconds", "train_seconds", "loss_parent", "loss_last", "retreats",
                   "error"),
    }  # fmt: skip
    stages = {name: done.stages[name].summary for name in wanted if name in done.stages}
    told = {key: found[key] for name, found in stages.items() for key in wanted[name] if key in found}
    return {**told, "seconds": {name: round(record.seconds, 1) for name, record in done.stages.items()}}


def is_judged(before: float, after: float, until: float) -> bool:
    """Whether a course of `until` minutes is looked at after a round that took it from `before` to `after`."""
    return any(before < asked <= after for asked in (*ASKED_MINUTES, until))


def budget(done: float, until: float, each: float = ROUND_MINUTES) -> float:
    """Minutes of the next round: `each`, the last one what is left; 0 where nothing is."""
    left = round(until - done, 3)
    return max(0.0, min(each, left))
