"""Limits counted in Redis over all gateways, by one script a request; many requests go in one round trip."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from redis import RedisError
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from serving.gateway.config import TenantLimits
from serving.gateway.tenants.levels import Levels, Reached
from understudy.clock import Clock, monotonic

log = logging.getLogger("understudy.gateway")
SECONDS = 0.25
"""How long Redis may take; then a request is counted here."""
AGAIN = 1.0
"""Seconds after which it is tried again."""
LEASE = 30
"""Seconds after which a request counts as in flight no more unless its gateway says so again: one was killed."""
REASONS: tuple[Reached, ...] = ("", "concurrent", "requests", "tokens")

COUNT = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local requests, tokens, most = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local amount, id, lease = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])
local kept = redis.call('HMGET', KEYS[1], 'requests', 'tokens', 'at')
local minutes = math.max(0, now - (tonumber(kept[3]) or now)) / 60
local r = math.min(requests, (tonumber(kept[1]) or requests) + minutes * requests)
local t = math.min(tokens, (tonumber(kept[2]) or tokens) + minutes * tokens)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local running = redis.call('ZCARD', KEYS[2])
local reached = 0
if ARGV[1] == 'take' then
  local cost = math.min(amount, tokens)
  if most > 0 and running >= most then reached = 1
  elseif requests > 0 and r < 1 then reached = 2
  elseif tokens > 0 and t < cost then reached = 3
  else
    r, t, running = r - 1, t - cost, running + 1
    redis.call('ZADD', KEYS[2], now + lease, id)
  end
elseif ARGV[1] == 'settle' then
  t = math.min(tokens, t + amount)
  running = running - redis.call('ZREM', KEYS[2], id)
elseif redis.call('ZSCORE', KEYS[2], id) then
  redis.call('ZADD', KEYS[2], now + lease, id)
end
local missing = math.max((requests - r) / math.max(requests, 1), (tokens - t) / math.max(tokens, 1))
-- what has no limit is not kept: one that is set later begins full
redis.call('HSET', KEYS[1], 'requests', requests > 0 and tostring(r) or '', 'tokens', tokens > 0 and tostring(t) or '',
  'at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], math.ceil(missing * 60) + 1)
redis.call('EXPIRE', KEYS[2], lease + 1)
return {reached, tostring(r), tostring(t), running}
"""


@dataclass(frozen=True, slots=True)
class CountCall:
    """One call of the script: `take`, `settle` or `renew`, `amount` being tokens taken or given back."""

    act: str
    tenant: str
    limits: TenantLimits
    amount: int
    id: str


CountReply = tuple[Reached, Levels]


class SharedCounts:
    """Counts in the Redis that `find` knows; while it is away nothing is tried for a moment.

    Calls that come while one round trip is under way go together in the next one. There are at most three for each
    request in flight.
    """

    def __init__(self, find: Callable[[], str], prefix: str, clock: Clock = monotonic) -> None:
        """`find`: its URL, empty while none is known; reads a file, so that it is called in a thread."""
        self._find = find
        self._prefix = prefix
        self._clock = clock
        self._redis: Any = None
        self._waiting: list[tuple[CountCall, asyncio.Future[CountReply | None]]] = []
        self._sending: asyncio.Task[None] | None = None
        self._away_until = 0.0
        self.up = False
        """Whether the last round trip succeeded."""

    def count(self, call: CountCall) -> asyncio.Future[CountReply | None] | None:
        """What comes of a call, None in it where Redis did not answer; None at once while it is known to be away."""
        if self._clock() < self._away_until:
            return None
        future: asyncio.Future[CountReply | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, future))
        if self._sending is None:
            self._sending = asyncio.get_running_loop().create_task(self._send())
        return future

    async def _send(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            answers: Sequence[CountReply | None] = [None] * len(batch)
            try:
                async with asyncio.timeout(SECONDS):
                    answers = await self._round_trip([call for call, _ in batch])
            except (RedisError, OSError, TimeoutError) as error:
                await self._away(error)
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
        self._sending = None

    async def _round_trip(self, calls: Sequence[CountCall]) -> Sequence[CountReply | None]:
        if self._redis is None:
            url = await asyncio.to_thread(self._find)
            if not url:
                self._away_until = self._clock() + AGAIN
                return [None] * len(calls)
            self._redis = Redis.from_url(url, retry=Retry(NoBackoff(), 0))
            self._script = self._redis.register_script(COUNT)
        pipe = self._redis.pipeline(transaction=False)
        for call in calls:
            limits = call.limits
            args = (
                call.act, limits.requests_per_minute or 0, limits.tokens_per_minute or 0, limits.max_concurrent or 0,
                call.amount, call.id, LEASE,
            )  # fmt: skip
            name = f"{self._prefix}limits:{call.tenant}"
            await self._script(keys=(name, f"{name}:running"), args=args, client=pipe)
        answers = [_counted(answer) for answer in await pipe.execute()]
        self.up = True
        return answers

    async def _away(self, error: Exception) -> None:
        if self.up or not self._away_until:
            log.warning("Redis is away, limits of tenants are counted by this gateway alone: %s", error or "too slow")
        self.up = False
        self._away_until = self._clock() + AGAIN
        await self.close()

    async def close(self) -> None:
        """Close the connections; the next call opens one again."""
        client, self._redis = self._redis, None
        if client is not None:
            await client.aclose()


def _counted(answer: Any) -> CountReply:
    reached, requests, tokens, running = answer
    return REASONS[int(reached)], Levels(float(requests), float(tokens), 0.0, int(running))
