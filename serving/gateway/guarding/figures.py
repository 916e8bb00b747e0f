"""What a gateway's page of metrics tells of the guard."""

from __future__ import annotations

from serving.guard.counts import STAGES, GuardCounts
from understudy.telemetry.metrics import Metric, MetricsPage

VERDICTS = Metric("understudy_guard_verdicts_total", "counter", "Requests that the guard judged, by the mode that held"
                  " and the stage that decided; the stage is empty where none had anything to say.",
                  ("mode", "verdict", "stage"))  # fmt: skip
CALLS = Metric("understudy_guard_stage_calls_total", "counter", "Slices of texts that went through a stage of the"
               " guard; of `size`, requests.", ("stage",))  # fmt: skip
SECONDS = Metric(
    "understudy_guard_stage_seconds_total", "counter", "Seconds that a stage of the guard took.", ("stage",)
)
SIGNALS = Metric("understudy_guard_signals_total", "counter", "Texts by what had to be taken away from them that hides"
                 " words.", ("signal",))  # fmt: skip
CODES = Metric(
    "understudy_guard_codes_total", "counter", "Texts within texts by the code they were found in.", ("code",)
)
PARTIAL = Metric("understudy_guard_partial_total", "counter", "Requests too long for the guard to look at all of them.")
REMEMBERED = Metric("understudy_guard_remembered_total", "counter", "Texts whose verdict was known from before.")
METRICS = (VERDICTS, CALLS, SECONDS, SIGNALS, CODES, PARTIAL, REMEMBERED)


def show(page: MetricsPage, counts: GuardCounts) -> None:
    """Have `page` tell what `counts` holds whenever somebody asks."""
    page.add(VERDICTS, counts.verdicts.items)
    page.add(CALLS, lambda: zip(STAGES, counts.calls, strict=True))
    page.add(SECONDS, lambda: zip(STAGES, counts.seconds, strict=True))
    page.add(SIGNALS, counts.signals.items)
    page.add(CODES, counts.codes.items)
    page.value(PARTIAL, lambda: float(counts.partial))
    page.value(REMEMBERED, lambda: float(counts.remembered))
