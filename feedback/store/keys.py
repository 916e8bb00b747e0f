"""Names of what is kept in Redis about events, KPIs, pool and rounds; routing and the lease name their own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RedisKeys:
    """Key names under a prefix such as `us:`."""

    prefix: str = "us:"

    def lease(self, topic: str, partition: int) -> str:
        """Owner of a partition; expires."""
        return f"{self.prefix}bus:lease:{topic}:{partition}"

    def stream(self, topic: str, partition: int) -> str:
        """Stream of events; `:numbers` is a hash of the highest by spool, `:bytes` what the stream holds."""
        return f"{self.prefix}bus:{topic}:{partition}"

    def applied(self, topic: str, partition: int) -> str:
        """Hash: spool -> highest number whose effects are stored."""
        return f"{self.prefix}bus:applied:{topic}:{partition}"

    @property
    def waited(self) -> str:
        """What is written before replicas are waited for."""
        return f"{self.prefix}bus:waited"

    @property
    def cursors(self) -> str:
        """Hash: topic:partition -> position up to which effects are stored."""
        return f"{self.prefix}bus:cursors"

    @property
    def workers(self) -> str:
        """Sorted set: worker -> when it was seen."""
        return f"{self.prefix}bus:workers"

    @property
    def lag(self) -> str:
        """Hash: topic:partition -> events not consumed yet, written by workers."""
        return f"{self.prefix}bus:lag"

    @property
    def meters(self) -> str:
        """Hash: topic:partition -> JSON of the oldest event's age and of the rate, written by workers."""
        return f"{self.prefix}bus:meters"

    @property
    def replayed(self) -> str:
        """Hash: dead letter -> when it was put back."""
        return f"{self.prefix}bus:replayed"

    @property
    def jobs(self) -> str:
        """Sorted set: shadow job -> time from which it may be taken."""
        return f"{self.prefix}bus:jobs"

    @property
    def payloads(self) -> str:
        """Hash: shadow job -> its exchange and history."""
        return f"{self.prefix}bus:jobs:payloads"

    @property
    def counters(self) -> str:
        """Hash of the worker's counters."""
        return f"{self.prefix}kpi:counters"

    @property
    def kpis(self) -> str:
        """Prefix of the hashes of sums: + `arm:teacher`, `version:v1`."""
        return f"{self.prefix}kpi:sum:"

    @property
    def histograms(self) -> str:
        """Prefix of the hashes of logarithmic buckets of latency."""
        return f"{self.prefix}kpi:hist:"

    @property
    def exposures(self) -> str:
        """Prefix of counts by experiment: + id."""
        return f"{self.prefix}kpi:exposures:"

    @property
    def targets(self) -> str:
        """Hash: response or session -> where its feedback counts; `:order` is a sorted set by its latest request."""
        return f"{self.prefix}kpi:targets"

    @property
    def orphans(self) -> str:
        """Hash: target not seen yet -> its feedback; `:order` is a sorted set by its latest arrival."""
        return f"{self.prefix}kpi:orphans"

    @property
    def verdicts(self) -> str:
        """List of the latest verdicts, newest first."""
        return f"{self.prefix}kpi:verdicts"

    @property
    def pool(self) -> str:
        """Prefix of the hard pool."""
        return f"{self.prefix}pool:"

    @property
    def round_request(self) -> str:
        """Why the trainer is asked for a round; taken away when it begins."""
        return f"{self.prefix}round:request"
