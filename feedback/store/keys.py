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
    def sketches(self) -> str:
        """Prefix of the hashes of latency's sketches: + `arm:teacher`; `latency:<group of users>:<key>` -> count."""
        return f"{self.prefix}kpi:sketch:"

    @property
    def places(self) -> str:
        """Hash that numbers the places (arm, version, phases of experiments, side of a canary) of units."""
        return f"{self.prefix}kpi:places"

    @property
    def rows(self) -> str:
        """Prefix of the rows of units: + tenant; hash of the unit -> its row."""
        return f"{self.prefix}kpi:rows:"

    @property
    def spilled(self) -> str:
        """Hash: tenant -> JSON of the files that hold spilled rows of its units, see `feedback.rows.files`."""
        return f"{self.prefix}kpi:spilled"

    @property
    def users(self) -> str:
        """Prefix of the sums over distinct units: + `version:v1:<hour of first exposure>`."""
        return f"{self.prefix}kpi:users:"

    @property
    def cohorts(self) -> str:
        """Hash whose fields name the sums over distinct units that there are."""
        return f"{self.prefix}kpi:cohorts"

    @property
    def kpi_bytes(self) -> str:
        """Hash: `rows`, `targets`, `early`, and each of their keys -> bytes held."""
        return f"{self.prefix}kpi:bytes"

    @property
    def exposures(self) -> str:
        """Prefix of distinct units by experiment: + id; hash: arm -> units, `returning:<phase>`
        and `two_arms:<phase>` -> units."""
        return f"{self.prefix}kpi:exposed:"

    @property
    def targets(self) -> str:
        """Prefix of what feedback may name: + tenant and day; hash of a response or session -> where it counts."""
        return f"{self.prefix}kpi:targets:"

    @property
    def early(self) -> str:
        """Prefix of feedback whose target is not known yet: + tenant and day."""
        return f"{self.prefix}kpi:early:"

    @property
    def former_targets(self) -> list[str]:
        """Where versions before this one kept targets and early feedback; taken away."""
        return [f"{self.prefix}kpi:{name}" for name in ("targets", "targets:order", "orphans", "orphans:order")]

    @property
    def target_days(self) -> str:
        """Hash: `targets<tenant>` or `early<tenant>` -> days of which something is held."""
        return f"{self.prefix}kpi:days"

    @property
    def verdicts(self) -> str:
        """List of the latest verdicts, newest first."""
        return f"{self.prefix}kpi:verdicts"

    @property
    def pool(self) -> str:
        """Prefix of the hard pool."""
        return f"{self.prefix}pool:"

    @property
    def flagged(self) -> str:
        """Prefix of what the guard flagged or degraded, see `feedback.flagged.store`."""
        return f"{self.prefix}flagged:"

    @property
    def held_sessions(self) -> str:
        """Hash: session of which nothing more is learned -> when that was seen last; `:before` the hash before it."""
        return f"{self.prefix}flagged:sessions"

    @property
    def spent(self) -> str:
        """Hash: day (UTC):purpose -> tokens asked of an API of somebody else."""
        return f"{self.prefix}spent"

    @property
    def round_request(self) -> str:
        """Why the trainer is asked for a round; taken away when it begins."""
        return f"{self.prefix}round:request"
