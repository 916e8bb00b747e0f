"""Operational KPIs as they are read: single values by group, figures over distinct users, quantiles, counters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Literal, cast

import msgspec

from ab.analysis.sketch import Quantile, quantiles
from ab.summary import Stat
from feedback.kpis.figures import Estimate, Figure, added, estimates
from feedback.kpis.names import FORMER
from feedback.store.connection import Client, redis_errors
from feedback.store.keys import RedisKeys
from feedback.store.scripts import source

By = Literal["arm", "version", "experiment", "rollout"]
QUANTILES = {"p50": 0.5, "p99": 0.99}
PAGE = 200
SUMS = msgspec.msgpack.Decoder(list[dict[str, float] | list[None]])
"""What `lua/sums.lua` answers; Lua packs an empty table as a list."""


class KpiStore:
    """Reads the sums. Every method raises Unavailable while Redis is away."""

    def __init__(self, client: Client, prefix: str = "us:") -> None:
        self._redis = client
        self._keys = RedisKeys(prefix)
        self._read_sums = client.register_script(source("sums"))

    def by(self, kind: By, *, timed: bool = True) -> dict[str, dict[str, dict[str, float]]]:
        """{"v1": {"latency": {"n", "mean", "var", "p50", "p99"}, ...}} of single values; var with ddof 1.

        Experiments are named `<id>:<arm>`. p50 and p99 only for latency and ttft, to 1 %, and only when `timed`.
        """
        found: dict[str, dict[str, dict[str, float]]] = {}
        head = f"{self._keys.kpis}{kind}:"
        with redis_errors():
            for key in self._redis.scan_iter(match=f"{head}*", count=1000):
                name = key.decode().removeprefix(head)
                found[name] = _summaries(cast(dict[bytes, bytes], self._redis.hgetall(key)))
        if timed:
            for name, kpis in found.items():
                for kpi, timings in self.quantiles(kind, name).items():
                    if kpi in kpis:
                        kpis[kpi] |= {q: one.value for q, one in timings.items()}
        return dict(sorted(found.items()))

    def quantiles(self, kind: By, name: str) -> dict[str, dict[str, Quantile]]:
        """{"latency": {"p50": ..., "p99": ...}, "ttft": ...} of one group, with intervals over users."""
        with redis_errors():
            raw = cast(dict[bytes, bytes], self._redis.hgetall(f"{self._keys.sketches}{kind}:{name}"))
        counts: dict[str, dict[tuple[int, int], int]] = defaultdict(dict)
        for field, n in raw.items():
            kpi, group, key = field.decode().split(":")
            counts[kpi][int(group), int(key)] = int(n)
        return {
            kpi: dict(zip(QUANTILES, quantiles(of, tuple(QUANTILES.values())), strict=True))
            for kpi, of in sorted(counts.items())
        }

    def cohorts(self, kind: By | Literal["paired", "line"], within: str = "") -> dict[str, dict[int, dict[str, float]]]:
        """Sums over distinct users by group and hour of first exposure (hours since the epoch); see `figures.Sums`.

        Experiments are named `<id>:<arm>:<phase>`, lines of business `<id>:<arm>:<phase>:<line>`, and by day instead of
        hour. Cohorts of a group add; a user is in one of them. Only groups whose names begin with `within`.
        """
        found: dict[str, dict[int, dict[str, float]]] = defaultdict(dict)
        head = f"{kind}:{within}"
        with redis_errors():
            names = sorted(name.decode() for name in self._redis.hkeys(self._keys.cohorts))
            wanted = [name for name in names if name.startswith(head)]
            for name, sums in zip(wanted, self._sums_of(wanted), strict=True):
                group, _, hour = name.removeprefix(f"{kind}:").rpartition(":")
                found[group][int(hour)] = sums
        return dict(sorted(found.items()))

    def trial(self, candidate: str) -> dict[str, dict[str, dict[str, float]]]:
        """{phase: {side: sums over its users}} of a candidate's rollout; see `feedback.kpis.trials`."""
        found: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
        for group, parts in self.cohorts("rollout").items():
            version, phase, side = group.split(":")
            if version == candidate:
                found[phase][side] = added(parts.values())
        return dict(found)

    def arms(self, experiment: str) -> dict[int, dict[str, dict[int, dict[str, float]]]]:
        """{phase: {arm: {hour: sums}}} of an experiment."""
        found: dict[int, dict[str, dict[int, dict[str, float]]]] = defaultdict(dict)
        for group, hours in self.cohorts("experiment", f"{experiment}:").items():
            arm, _, phase = group.removeprefix(f"{experiment}:").rpartition(":")
            found[int(phase)][arm] = hours
        return dict(sorted(found.items()))

    def lines(self, experiment: str) -> dict[str, dict[int, dict[str, dict[int, dict[str, float]]]]]:
        """{line: {phase: {arm: {first hour of a day: sums}}}} of an experiment's lines of business.

        A user is in every line in which he asked something, with what he did there.
        """
        found: dict[str, dict[int, dict[str, dict[int, dict[str, float]]]]] = {}
        for group, days in self.cohorts("line", f"{experiment}:").items():
            rest, _, line = group.removeprefix(f"{experiment}:").rpartition(":")
            arm, _, phase = rest.rpartition(":")
            found.setdefault(line, {}).setdefault(int(phase), {})[arm] = days
        return {line: dict(sorted(phases.items())) for line, phases in sorted(found.items())}

    def paired(self, experiment: str) -> dict[int, dict[str, dict[str, float]]]:
        """{phase: {student's version: sums}} of the shadow pairs of an experiment's units."""
        found: dict[int, dict[str, dict[str, float]]] = defaultdict(dict)
        for group, hours in self.cohorts("paired", f"{experiment}:").items():
            version, _, phase = group.removeprefix(f"{experiment}:").rpartition(":")
            found[int(phase)][version] = added(hours.values())
        return dict(found)

    def figures(self, kind: By, wanted: dict[str, Figure]) -> dict[str, dict[str, Estimate]]:
        """The figures `wanted` of each group, over distinct users."""
        return {group: estimates(wanted, added(parts.values())) for group, parts in self.cohorts(kind).items()}

    def exposures(self, experiment: str) -> dict[str, dict[str, int]]:
        """{"teacher": {"exposures": n, "units": n}, ...}: units by phase, added up, and distinct ones over all phases.

        Exact, as far as rows were not refused.
        """
        with redis_errors():
            counts = cast(dict[bytes, bytes], self._redis.hgetall(f"{self._keys.exposures}{experiment}"))
            cohorts = self.cohorts("experiment")
        found: dict[str, dict[str, int]] = {}
        for group, parts in cohorts.items():
            identity, _, rest = group.partition(":")
            if identity == experiment:
                arm = rest.rpartition(":")[0]
                one = found.setdefault(arm, {"exposures": 0, "units": int(counts.get(arm.encode(), 0))})
                one["exposures"] += round(added(parts.values()).get("users", 0.0))
        return found

    def returning(self, experiment: str) -> dict[int, int]:
        """Of each phase how many units an earlier or other phase of the experiment had, too."""
        return self._by_phase(experiment, b"returning:")

    def two_arms(self, experiment: str) -> dict[int, int]:
        """Of each phase how many units came in a second arm, and count up to that moment, for the first alone."""
        return self._by_phase(experiment, b"two_arms:")

    def _by_phase(self, experiment: str, head: bytes) -> dict[int, int]:
        with redis_errors():
            counts = cast(dict[bytes, bytes], self._redis.hgetall(f"{self._keys.exposures}{experiment}"))
        return {int(name.removeprefix(head)): int(n) for name, n in counts.items() if name.startswith(head)}

    def counters(self) -> dict[str, int]:
        """The workers' counters: copies queued, dropped by reason, dead letters, feedback, hard inputs."""
        with redis_errors():
            counts = cast(dict[bytes, bytes], self._redis.hgetall(self._keys.counters))
        return {name.decode(): int(n) for name, n in sorted(counts.items())}

    def held(self) -> dict[str, int]:
        """Bytes held for `targets`, `early` feedback and `rows`, as counted when they were stored."""
        with redis_errors():
            parts = self._redis.hmget(self._keys.kpi_bytes, ["targets", "early", "rows"])
        return {name: int(n or 0) for name, n in zip(("targets", "early", "rows"), parts, strict=True)}

    def _sums_of(self, names: list[str]) -> Iterator[dict[str, float]]:
        """The sums under each of the names; a page is one call, which holds Redis up for about 5 ms."""
        for at in range(0, len(names), PAGE):
            packed = self._read_sums([self._keys.users], names[at : at + PAGE])
            yield from (sums if isinstance(sums, dict) else {} for sums in SUMS.decode(cast(bytes, packed)))


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
