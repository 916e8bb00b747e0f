"""Where everything lies in one state directory (`--state`, default `.understudy/`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEFAULT_STATE = Path(".understudy")


@dataclass(frozen=True, slots=True)
class StateDir:
    """Paths below a state directory; creating them is the business of whoever owns the content."""

    root: Path

    @property
    def registry(self) -> Path:
        """Versions, rounds, routing documents, keys and the audit log."""
        return self.root / "registry"

    @property
    def versions(self) -> Path:
        return self.registry / "versions"

    @property
    def rounds(self) -> Path:
        return self.registry / "rounds"

    @property
    def routing(self) -> Path:
        return self.registry / "routing"

    @property
    def keys(self) -> Path:
        return self.registry / "keys"

    @property
    def audit(self) -> Path:
        return self.registry / "audit.jsonl"

    @property
    def clients(self) -> Path:
        """Keys that clients may use: HMACs of them, and the secret under which they are hashed."""
        return self.root / "clients"

    @property
    def redis(self) -> Path:
        return self.root / "redis"

    @property
    def spool(self) -> Path:
        return self.root / "spool"

    @property
    def rows(self) -> Path:
        """Rows of users that Redis has no room for."""
        return self.root / "rows"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def cache(self) -> Path:
        """What libraries compile and keep; may be removed."""
        return self.root / "cache"

    @property
    def run(self) -> Path:
        """Process ids, sockets, lock and the addresses of a running system."""
        return self.root / "run"

    @property
    def addresses(self) -> Path:
        """JSON: {"gateway", "control", "redis", ...} of a running system."""
        return self.run / "addresses.json"

    @property
    def config(self) -> Path:
        """The configuration that `up` composed, and that every role it runs was started with."""
        return self.run / "config.yaml"

    @property
    def control(self) -> Path:
        """JSON: {"url", "pid"} of the controller that leads; it is there while it does."""
        return self.run / "control.json"

    @property
    def admin_token(self) -> Path:
        """The control plane's token, readable by its owner alone."""
        return self.run / "admin.token"

    @property
    def own_key(self) -> Path:
        """The key that `up` and what it runs show to the gateway; no client's."""
        return self.run / "own.key"

    @property
    def metrics(self) -> Path:
        """Where roles show their metrics: a file for each that runs, as a Prometheus reads it."""
        return self.run / "metrics"

    @property
    def metrics_token(self) -> Path:
        """The token by which metrics are read from elsewhere, readable by its owner alone."""
        return self.run / "metrics.token"

    @property
    def engine_key(self) -> Path:
        """The key that engines ask of gateways, workers, agents and the trainer."""
        return self.run / "engine.key"
