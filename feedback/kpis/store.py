"""Operational KPIs as they are read: count, mean and variance by arm, version and experiment arm, and quantiles."""

from __future__ import annotations

from collections import defaultdict
from typing import Literal, cast

from ab.quantiles import quantile
from ab.summary import Stat
from feedback.kpis.names import FORMER
from feedback.store.connection import Client, redis_errors
from feedback.store.keys import RedisKeys

By = Literal["arm", "version", "experiment"]


class KpiStore:
    """Reads the sums. Every method raises Unavailable while Redis is away."""

    def __init__(self, client: Client, prefix: str = "us:") -> None:
        self._redis = client
        self._keys = RedisKeys(prefix)

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
    fields: dict[str, float] = defaultdict(float)
    for field, value in raw.items():
        kpi, _, part = field.decode().rpartition(":")
        fields[f"{FORMER.get(kpi, kpi)}:{part}"] += float(value)
    for name in sorted({field.rpartition(":")[0] for field in fields}):
        n = int(fields.get(f"{name}:n", 0))
        if n > 0:
            found = Stat.from_sums(n, fields.get(f"{name}:s", 0.0), fields.get(f"{name}:q", 0.0))
            kpis[name] = {"n": found.n, "mean": found.mean, "var": found.var}
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
