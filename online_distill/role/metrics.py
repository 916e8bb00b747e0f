"""The metrics of a trainer: what it is at, and what its stages came to. Whole rounds are on the controller's page."""

from __future__ import annotations

from collections import Counter

from deploy.rounds.record import Round
from understudy.telemetry.metrics import Metric, MetricsPage

WORKING = Metric("understudy_trainer_working", "gauge", "1 while it works on a round; 0 while it waits for a reason.")
STAGES = Metric("understudy_trainer_stages_total", "counter", "Stages that this trainer ended, by how.",
                ("stage", "event"))  # fmt: skip
SECONDS = Metric("understudy_trainer_stage_seconds_total", "counter", "Seconds that went into each stage.", ("stage",))
METRICS = (WORKING, STAGES, SECONDS)


class TrainerFigures:
    """What one trainer has done since it started."""

    def __init__(self) -> None:
        self.working = False
        self._stages: Counter[tuple[str, str]] = Counter()
        self._seconds: Counter[str] = Counter()

    def add(self, before: Round, after: Round) -> None:
        """Count the stages by which a round went on."""
        for stage in after.stages.keys() - before.stages.keys():
            record = after.stages[stage]
            self._stages[stage, record.event] += 1
            self._seconds[stage] += record.seconds  # type: ignore[assignment]  # a Counter holds floats as well

    def show(self, page: MetricsPage) -> None:
        """Put them on a page."""
        page.value(WORKING, lambda: float(self.working))
        page.add(STAGES, self._stages.items)
        page.add(SECONDS, self._seconds.items)
