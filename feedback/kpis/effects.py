"""What an event adds to the KPIs, as Redis commands: n, sum and sum of squares by arm, version and experiment arm.

Pure: the commands run inside the call that consumes the event (`feedback.consume.consumer`), so that each counts once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ab.quantiles import bucket
from feedback.events import Exchange, Kpi, Verdict
from feedback.kpis.config import KpisConfig
from feedback.kpis.names import EXACT, FACTS
from feedback.store.keys import RedisKeys

RedisCommand = list[Any]
DAY = 86_400.0


def sums(keys: RedisKeys, groups: Iterable[str], values: dict[str, float]) -> list[RedisCommand]:
    """Commands that add `values` to each group, such as `version:v1`."""
    commands: list[RedisCommand] = []
    for group in groups:
        key = f"{keys.kpis}{group}"
        for kpi, value in values.items():
            commands.append(["HINCRBY", key, f"{kpi}:n", 1])
            commands.append(["HINCRBYFLOAT", key, f"{kpi}:s", f"{value:.9g}"])
            commands.append(["HINCRBYFLOAT", key, f"{kpi}:q", f"{value * value:.9g}"])
    return commands


def exchange_effects(keys: RedisKeys, config: KpisConfig, exchange: Exchange, now: float) -> list[RedisCommand]:
    """What one exchange adds, and the target it makes for later feedback; `now` in seconds since the epoch."""
    groups = [f"arm:{exchange.arm}", f"version:{exchange.version}"]
    assigned = exchange.assigned or exchange.arm
    if exchange.experiment:
        groups.append(f"experiment:{exchange.experiment}:{assigned}")
    commands = sums(keys, groups, exchange_values(exchange))
    for group in groups:
        for kpi, value in (("latency", exchange.seconds), ("ttft", exchange.ttft)):
            if value and exchange.status == 200:
                commands.append(["HINCRBY", f"{keys.histograms}{group}", f"{kpi}:{bucket(value)}", 1])
    if exchange.experiment:
        key = f"{keys.exposures}{exchange.experiment}"
        commands.append(["HINCRBY", key, assigned, 1])
        if not exchange.unit_derived:
            commands.append(["PFADD", f"{key}:units:{assigned}", exchange.unit])
    for target in (exchange.response_id, f"session:{exchange.session}"):
        if target:
            name = f"{exchange.tenant}:{target}"
            place = [keys.targets, keys.orphans, keys.kpis]
            bounds = [since(config, now), config.targets]
            commands.append(["target", *place, name, json.dumps(groups), f"{exchange.at:.3f}", *bounds])
    return commands


def exchange_values(exchange: Exchange) -> dict[str, float]:
    """KPI values of one exchange; abnormal: a server error, or a reply that broke off."""
    abnormal = exchange.status >= 500 or exchange.finish_reason in ("error", "abort")
    values = {"requests": 1.0, "abnormal_termination": float(abnormal)}
    if exchange.status == 200:
        values["latency"] = exchange.seconds
        if exchange.ttft is not None:
            values["ttft"] = exchange.ttft
        if exchange.completion_tokens is not None:
            values["completion_tokens"] = float(exchange.completion_tokens)
    return values


def feedback_effects(keys: RedisKeys, config: KpisConfig, kpi: Kpi, now: float) -> list[RedisCommand]:
    """One value of feedback: joined to its target within the tenant, or kept until the target comes."""
    if kpi.target:
        name = f"{kpi.tenant}:{kpi.target}"
        place = [keys.targets, keys.orphans, keys.counters, keys.kpis]
        bounds = [f"{now:.3f}", since(config, now), config.targets]
        return [["feedback", *place, name, kpi.kpi, f"{kpi.value:.9g}", *bounds]]
    groups = [f"arm:{kpi.arm}"] if kpi.arm else []
    groups += [f"version:{kpi.version}"] if kpi.version else []
    return sums(keys, groups, {kpi.kpi: kpi.value})


def since(config: KpisConfig, now: float) -> str:
    """When what feedback may still name was last heard of at the earliest, in seconds since the epoch."""
    return f"{now - config.late_days * DAY:.3f}"


def verdict_effects(keys: RedisKeys, verdict: Verdict) -> list[RedisCommand]:
    """What a verdict adds to the student's version and arm."""
    values = {"similarity": verdict.similarity, "hard": float(bool(verdict.failed))}
    values |= {f"failed_{kind}": float(kind in verdict.failed) for kind in verdict.checked}
    values |= {name: float(said) for name, said in ((EXACT, verdict.exact), (FACTS, verdict.facts)) if said is not None}
    values["quality_gap"] = verdict.quality_teacher - verdict.quality_student
    groups = [f"version:{verdict.student}", "arm:student", f"shadow:{verdict.student}:{verdict.teacher}"]
    return sums(keys, groups, values)
