"""What a gateway's page of metrics tells of the guard and of the breakers of users behind it."""

from __future__ import annotations

from serving.breaker.table import BreakerState
from serving.breaker.users import UserBreakers
from serving.guard.counts import STAGES, GuardCounts
from understudy.telemetry.metrics import Metric, MetricsPage

VERDICTS = Metric("understudy_guard_verdicts_total", "counter", "Requests that the guard judged, by the mode that held"
                  " (`allowed`: an operator's exception; `switched_off`: by an experiment) and the stage that decided;"
                  " the stage is empty where none had anything to say.",
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
OPEN = Metric("understudy_adversarial_breaker_open", "gauge", "Users, and tenants where `guard.breaker.tenant_calls` is"
              " set, whose breaker is open.")  # fmt: skip
OPENINGS = Metric("understudy_adversarial_breaker_openings_total", "counter", "Breakers of users that opened here.")
METRICS = (VERDICTS, CALLS, SECONDS, SIGNALS, CODES, PARTIAL, REMEMBERED, OPEN, OPENINGS)


def show(page: MetricsPage, counts: GuardCounts, users: UserBreakers) -> None:
    """Have `page` tell what `counts` and `users` hold whenever somebody asks."""
    page.add(VERDICTS, counts.verdicts.items)
    page.add(CALLS, lambda: zip(STAGES, counts.calls, strict=True))
    page.add(SECONDS, lambda: zip(STAGES, counts.seconds, strict=True))
    page.add(SIGNALS, counts.signals.items)
    page.add(CODES, counts.codes.items)
    page.value(PARTIAL, lambda: float(counts.partial))
    page.value(REMEMBERED, lambda: float(counts.remembered))
    page.value(OPEN, lambda: float(users.counts().get(BreakerState.OPEN, 0)))
    page.value(OPENINGS, lambda: float(users.openings))
