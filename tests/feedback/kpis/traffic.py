"""Traffic for the KPIs: late, repeated, reordered and re-targeted feedback, and units that change arms."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from feedback.events import Exchange, Exposure, Kpi, PhaseArm
from tests.feedback.applying import feedback
from tests.feedback.factory import exchange

HOUR = 3600
COVARIATES = (
    ("first_response_correct", "first_response_correct_before"), ("click", "click_before"),
    ("requests", "requests_before"), ("takeover", "rating_before"), ("rating", "nothing_before"),
)  # fmt: skip
"""That the experiment `exp` asks for; the last is of no KPI."""
KPIS = ("click", "human_review_pass", "takeover", "first_response_correct", "rating")


@dataclass
class Traffic:
    """A day and a half of sessions that move between arms, versions and experiments, and what was said of them.

    `keeps`: a unit has one arm in a phase; else any each time. A quarter comes before experiments begin.
    """

    chance: random.Random
    now: float
    keeps: bool = True
    events: list[Exchange | Exposure | Kpi] = field(default_factory=list)
    count: int = 0

    def make(self, count: int) -> list[Exchange | Exposure | Kpi]:
        """About `count` events in the order in which they arrive."""
        self.count = count
        while len(self.events) < count:
            self._session(len(self.events))
        held = self.events
        arrived = [
            (n + self.chance.choice((0, 0, 0, 40, 900)) * self.chance.random(), one) for n, one in enumerate(held)
        ]
        return [one for _, one in sorted(arrived, key=lambda item: item[0])]

    def _session(self, n: int) -> None:
        unit, session = f"用户{self.chance.randrange(120)}", f"会话{n}"
        early, chance = n < self.count / 4, self.chance.random()
        start = self.now - 36 * HOUR + (8 * chance if early else 12 + 18 * (0.8 * n / self.count + 0.2 * chance)) * HOUR
        for turn in range(self.chance.randrange(1, 5)):
            response = f"r{n}-{turn}"
            self._exchange(unit, session, response, start + turn * HOUR * self.chance.random() + turn)
            if self.chance.random() < 0.6:
                self._said(response, start + HOUR)
        if self.chance.random() < 0.7:
            self._said(f"session:{session}", start + 3 * HOUR)

    def _exchange(self, unit: str, session: str, response: str, at: float) -> None:
        arm = self.chance.choice(("teacher", "student"))
        version = "t1" if arm == "teacher" else self.chance.choice(("v1", "v2"))
        more: dict[str, Any] = {}
        style = self.chance.random() if at > self.now - 24 * HOUR else 1.0
        if style < 0.2:
            more = {"experiment": "exp", "assigned": self._arm(unit, 0)}
        elif style < 0.6:
            more = {"experiments": self._phases(unit, session, at)}
        status = 503 if self.chance.random() < 0.05 else 200
        seconds = self.chance.expovariate(1.0)
        self.events.append(
            exchange(
                response_id=response,
                session=session,
                unit=unit,
                arm=arm,
                version=version,
                at=at,
                status=status,
                seconds=seconds,
                **more,
                line=self.chance.choice(("", "shop", "bank")),
            )
        )
        if self.chance.random() < 0.05:  # by another spool, or sent again
            self.events.append(self.events[-1])

    def _phases(self, unit: str, session: str, at: float) -> tuple[PhaseArm, ...]:
        """Of one or two layers. Most are said by events, some only by replies."""
        phase = self.chance.randrange(1, 4)
        found = [PhaseArm(experiment="exp", phase=phase, arm=self._arm(unit, phase), covariates=COVARIATES)]
        if self.chance.random() < 0.5:
            found.append(PhaseArm(experiment="aa", phase=1, arm=("left", "right")[sum(unit.encode()) // 2 % 2]))
        for one in found:
            for _ in range(self.chance.choice((0, 1, 1, 2))):
                fell_back = self.chance.random() < 0.2
                self.events.append(Exposure(
                    id=f"{unit}-{len(self.events)}", session=session, at=at - self.chance.random(), unit=unit,
                    experiment=one.experiment, phase=one.phase, arm=one.arm, bucket=0.1, epoch=1, fell_back=fell_back,
                    covariates=one.covariates,
                ))  # fmt: skip
        return tuple(found) if self.chance.random() < 0.9 else ()

    def _arm(self, unit: str, phase: int) -> str:
        number = sum(unit.encode()) if self.keeps else self.chance.randrange(2)
        return ("teacher", "student")[(number + phase) % 2]

    def _said(self, target: str, at: float) -> None:
        kpi = self.chance.choice(KPIS)
        for n in range(self.chance.choice((1, 1, 2, 3))):
            value = float(self.chance.randrange(11)) if kpi == "rating" else float(self.chance.random() < 0.6)
            one = feedback(0, value, target, kpi=kpi, at=at + n + self.chance.random(), id=f"{target}-{kpi}-{n}")
            self.events.append(one)
            if self.chance.random() < 0.3:  # a retry, which says the same under the same id, perhaps at a later time
                late = self.chance.choice((0.0, 9.0))
                self.events.append(one.model_copy(update={"at": one.at + late}))
