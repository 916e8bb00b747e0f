"""Operational KPIs as sums that add: n, sum and sum of squares by arm, version and experiment arm.

Written inside the call that consumes an event (`feedback.consume.consumer`), so that each counts once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, Literal, cast

from feedback.config import KpisConfig
from feedback.events import Exchange, Kpi, Verdict
from feedback.store.connection import Client, redis_errors
from feedback.store.keys import Keys

Command = list[Any]
By = Literal["arm", "version", "experiment"]
DAY = 86_400.0
BUCKETS_PER_E = 12
"""Logarithmic buckets of latency: each is about 8.7 % wide."""


def sums(keys: Keys, groups: Iterable[str], values: dict[str, float]) -> list[Command]:
    """Commands that add `values` to each group, such as `version:v1`."""
    commands: list[Command] = []
    for group in groups:
        key = f"{keys.kpis}{group}"
        for kpi, value in values.items():
            commands.append(["HINCRBY", key, f"{kpi}:n", 1])
            commands.append(["HINCRBYFLOAT", key, f"{kpi}:s", f"{value:.9g}"])
            commands.append(["HINCRBYFLOAT", key, f"{kpi}:q", f"{value * value:.9g}"])
    return commands


def exchange_effects(keys: Keys, config: KpisConfig, exchange: Exchange, now: float) -> list[Command]:
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


def feedback_effects(keys: Keys, config: KpisConfig, kpi: Kpi, now: float) -> list[Command]:
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


def verdict_effects(keys: Keys, verdict: Verdict) -> list[Command]:
    """What a verdict adds to the student's version and arm."""
    values = {"agreement": verdict.agreement, "hard": float(bool(verdict.failed))}
    values |= {f"failed_{kind}": float(kind in verdict.failed) for kind in ("semantic", "logic", "quality")}
    values["quality_gap"] = verdict.quality_teacher - verdict.quality_student
    groups = [f"version:{verdict.student}", "arm:student", f"shadow:{verdict.student}:{verdict.teacher}"]
    return sums(keys, groups, values)


def bucket(seconds: float) -> int:
    """Logarithmic bucket of a duration."""
    return math.floor(math.log(max(seconds, 1e-6)) * BUCKETS_PER_E)


class KpiStore:
    """Reads the sums. Every method raises Unavailable while Redis is away."""

    def __init__(self, client: Client, prefix: str = "us:") -> None:
        self._redis = client
        self._keys = Keys(prefix)

    def by(self, kind: By) -> dict[str, dict[str, dict[str, float]]]:
        """{"v1": {"latency": {"n", "mean", "var", "p50", "p99"}, ...}}; var with ddof 1, 0 below two values.

        Experiments are named `<id>:<arm>`. p50 and p99 only for latency and ttft, to about 9 %.
        """
        found: dict[str, dict[str, dict[str, float]]] = {}
        head = f"{self._keys.kpis}{kind}:"
        with redis_errors():
            for key in self._redis.scan_iter(match=f"{head}*", count=1000):
                name = key.decode().removeprefix(head)
                found[name] = _summaries(cast(dict[bytes, bytes], self._redis.hgetall(key)))
                histogram = self._redis.hgetall(f"{self._keys.histograms}{kind}:{name}")
                _add_quantiles(found[name], cast(dict[bytes, bytes], histogram))
        return dict(sorted(found.items()))

    def exposures(self, experiment: str) -> dict[str, dict[str, int]]:
        """{"teacher": {"exposures": n, "units": n}, ...}; units to about 1 % (HyperLogLog)."""
        key = f"{self._keys.exposures}{experiment}"
        with redis_errors():
            counts = cast(dict[bytes, bytes], self._redis.hgetall(key))
            return {
                arm.decode(): {"exposures": int(n), "units": int(self._redis.pfcount(f"{key}:units:{arm.decode()}"))}
                for arm, n in counts.items()
            }

    def counters(self) -> dict[str, int]:
        """The workers' counters: copies queued, dropped by reason, dead letters, feedback, hard inputs."""
        with redis_errors():
            counts = cast(dict[bytes, bytes], self._redis.hgetall(self._keys.counters))
        return {name.decode(): int(n) for name, n in sorted(counts.items())}


def _summaries(raw: dict[bytes, bytes]) -> dict[str, dict[str, float]]:
    kpis: dict[str, dict[str, float]] = {}
    fields = {name.decode(): float(value) for name, value in raw.items()}
    for name in sorted({field.rpartition(":")[0] for field in fields}):
        n = int(fields.get(f"{name}:n", 0))
        if n > 0:
            total, squares = fields.get(f"{name}:s", 0.0), fields.get(f"{name}:q", 0.0)
            variance = max(0.0, squares - total * total / n) / (n - 1) if n > 1 else 0.0
            kpis[name] = {"n": n, "mean": total / n, "var": variance}
    return kpis


def _add_quantiles(kpis: dict[str, dict[str, float]], raw: dict[bytes, bytes]) -> None:
    for name in ("latency", "ttft"):
        counts = {
            int(field.decode().rpartition(":")[2]): int(n)
            for field, n in raw.items()
            if field.decode().startswith(f"{name}:")
        }
        if counts and name in kpis:
            kpis[name] |= {"p50": quantile(counts, 0.5), "p99": quantile(counts, 0.99)}


def quantile(counts: dict[int, int], q: float) -> float:
    """Seconds below which a share `q` of the values in the buckets `counts` lies; middle of its bucket."""
    need = q * sum(counts.values())
    seen = 0
    for index in sorted(counts):
        seen += counts[index]
        if seen >= need:
            return math.exp((index + 0.5) / BUCKETS_PER_E)
    return 0.0
