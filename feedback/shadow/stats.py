"""What live views and the canary read of the workers' doings."""

from __future__ import annotations

from typing import Any

from feedback.events import Verdict
from feedback.store.connection import Client, redis_errors
from feedback.store.keys import RedisKeys


class Stats:
    """Reads only; raises Unavailable while Redis is away."""

    def __init__(self, client: Client, prefix: str = "us:") -> None:
        self._redis = client
        self._keys = RedisKeys(prefix)

    def recent_verdicts(self, n: int = 50, *, student: str | None = None) -> list[Verdict]:
        """Up to `n` of the latest 500 verdicts, newest first; only of one student version when given."""
        with redis_errors():
            rows: Any = self._redis.lrange(self._keys.verdicts, 0, -1 if student else n - 1)
        verdicts = [Verdict.model_validate_json(row) for row in rows]
        return [v for v in verdicts if student in (None, v.student)][:n]

    def lag(self) -> int:
        """Events on the bus that no worker has consumed, as the workers saw it last."""
        with redis_errors():
            rows: Any = self._redis.hgetall(self._keys.lag)
        return sum(int(n) for n in rows.values())

    def waiting(self) -> int:
        """Shadow copies that wait to be asked."""
        with redis_errors():
            return int(self._redis.zcard(self._keys.jobs))
