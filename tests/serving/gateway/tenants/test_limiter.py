"""Admitting and settling, by the same suite where Redis counts and where the gateway does alone."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis

from feedback.store.server import RedisServer
from serving.gateway.config import TenantLimits
from serving.gateway.errors import RateLimited
from serving.gateway.tenants import shared as shared_module
from serving.gateway.tenants.cost import ReplyMeter
from serving.gateway.tenants.limiter import Limiter, Ticket
from serving.gateway.tenants.shared import SharedCounts

pytestmark = pytest.mark.timeout(120)
Make = Callable[[dict[str, TenantLimits]], Limiter]
LEASE = 600
"""More than a test takes on a busy machine."""
USED = b'{"usage": {"total_tokens": 10}}'


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no server that is away."""
    monkeypatch.setattr(shared_module, "SECONDS", 20.0)


@pytest.fixture(params=["here", "redis"])
def make(request: pytest.FixtureRequest) -> Make:
    if request.param == "here":
        return lambda limits: Limiter(limits)
    url = request.getfixturevalue("redis_url")
    return lambda limits: Limiter(limits, SharedCounts(lambda: url, "us:"))


def ticket(limiter: Limiter, tokens: int = 100, tenant: str = "shop") -> Ticket:
    limits = limiter.limits_of(tenant)
    assert limits is not None
    return Ticket(tenant, limits, tokens, ReplyMeter(b"x" * 400))


async def asked(limiter: Limiter, one: Ticket) -> None:
    if (waiting := limiter.admit(one)) is not None:
        await waiting


async def admitted(limiter: Limiter, one: Ticket) -> str:
    """Empty, or the limit that was reached."""
    try:
        await asked(limiter, one)
    except RateLimited as error:
        assert not one.admitted
        return error.kind
    assert one.admitted
    return ""


async def settle(limiter: Limiter) -> None:
    """Let what was sent be answered."""
    shared: Any = limiter._shared
    while shared is not None and shared._sending is not None:
        await asyncio.sleep(0.005)


def run(scene: Awaitable[None]) -> None:
    async def within() -> None:
        async with asyncio.timeout(60):
            await scene

    asyncio.run(within())


def test_requests(make: Make) -> None:
    async def scene() -> None:
        limiter, began = make({"shop": TenantLimits(requests_per_minute=2)}), time.monotonic()
        assert [await admitted(limiter, ticket(limiter)) for _ in range(3)] == ["", "", "requests"]
        with pytest.raises(RateLimited) as refused:
            await asked(limiter, ticket(limiter))
        assert refused.value.status == 429
        assert 29 - (time.monotonic() - began) <= refused.value.seconds <= 30
        assert "RPM): limit 2. Please try again in" in refused.value.message
        await limiter.stop()

    run(scene())


def test_tokens_are_settled_by_what_was_used(make: Make) -> None:
    async def scene() -> None:
        limiter, began = make({"shop": TenantLimits(tokens_per_minute=1000)}), time.monotonic()
        first = ticket(limiter, 900)
        assert await admitted(limiter, first) == ""
        assert await admitted(limiter, ticket(limiter, 900)) == "tokens"
        first.meter.feed(USED)
        limiter.close(first)
        await settle(limiter)
        second = ticket(limiter, 900)
        assert await admitted(limiter, second) == ""
        assert second.left is not None
        filled = (time.monotonic() - began) * 1000 / 60  # meanwhile
        assert 90 <= second.left.tokens < 91 + filled
        second.meter.feed(b'{"usage": {"total_tokens": 5000}}')
        limiter.close(second)
        await settle(limiter)
        assert await admitted(limiter, ticket(limiter, 1)) == "tokens"
        await limiter.stop()

    run(scene())


def test_of_a_guess_above_the_limit_no_more_is_given_back_than_was_taken(make: Make) -> None:
    async def scene() -> None:
        limiter = make({"shop": TenantLimits(tokens_per_minute=1000)})
        one = ticket(limiter, 5000)
        assert await admitted(limiter, one) == ""
        one.meter.feed(b'{"usage": {"total_tokens": 900}}')
        limiter.close(one)
        await settle(limiter)
        assert await admitted(limiter, ticket(limiter, 1000)) == "tokens"
        await limiter.stop()

    run(scene())


def test_at_once(make: Make) -> None:
    async def scene() -> None:
        limiter = make({"shop": TenantLimits(max_concurrent=2)})
        tickets = [ticket(limiter) for _ in range(3)]
        assert [await admitted(limiter, one) for one in tickets] == ["", "", "concurrent"]
        for one in tickets:
            limiter.close(one)  # the refused one, too: nothing is given back for it
        await settle(limiter)
        more = [ticket(limiter) for _ in range(3)]
        assert [await admitted(limiter, one) for one in more] == ["", "", "concurrent"]
        await limiter.stop()

    run(scene())


def test_tenants_are_counted_apart_and_those_without_limits_not_at_all(make: Make) -> None:
    async def scene() -> None:
        limiter = make({"shop": TenantLimits(requests_per_minute=1)})
        assert limiter.limits_of("bank") is None
        everybody = make({"shop": TenantLimits(), "*": TenantLimits(requests_per_minute=1)})
        for tenant in ("bank", "post"):
            tickets = [ticket(everybody, tenant=tenant) for _ in range(2)]
            assert [await admitted(everybody, one) for one in tickets] == ["", "requests"]
        assert everybody.limits_of("shop") == TenantLimits()
        await limiter.stop()
        await everybody.stop()

    run(scene())


def test_many_gateways_let_in_together_no_more_than_the_limit(redis_url: str) -> None:
    async def scene() -> None:
        limits = {"shop": TenantLimits(requests_per_minute=30, max_concurrent=100)}
        gateways = [Limiter(limits, SharedCounts(lambda: redis_url, "us:")) for _ in range(4)]
        asked, began = [admitted(one, ticket(one)) for one in gateways for _ in range(20)], time.monotonic()
        results = await asyncio.gather(*asked)
        assert 30 <= results.count("") <= 30 + (time.monotonic() - began) * 30 / 60  # filled in meanwhile
        assert all(one.counts_together for one in gateways)
        for one in gateways:
            await one.stop()

    run(scene())


def test_a_request_that_ends_before_redis_answers_leaves_nothing_behind(redis_url: str) -> None:
    async def scene() -> None:
        limiter = Limiter({"shop": TenantLimits(tokens_per_minute=1000, max_concurrent=1)},
                          SharedCounts(lambda: redis_url, "us:"))  # fmt: skip
        one = ticket(limiter, 1000)
        waiting = asyncio.ensure_future(limiter.admit(one))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        waiting.cancel()
        limiter.close(one)
        await settle(limiter)
        await settle(limiter)
        assert await admitted(limiter, ticket(limiter, 900)) == ""
        await limiter.stop()

    run(scene())


def test_requests_of_a_gateway_that_was_killed_count_no_more_after_a_while(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, running = redis.Redis.from_url(redis_url), "us:limits:shop:running"

    def left(one: Ticket) -> float:
        """Seconds until it counts as in flight no more."""
        return float(client.zscore(running, one.id) or 0.0) - time.time()  # type: ignore[arg-type]

    def most_of_a_lease_passes() -> None:
        for name in client.zrange(running, 0, -1):  # type: ignore[union-attr]
            client.zincrby(running, -0.6 * LEASE, name)

    async def scene() -> None:
        limits = {"shop": TenantLimits(max_concurrent=2)}
        killed, alive = (Limiter(limits, SharedCounts(lambda: redis_url, "us:")) for _ in range(2))
        monkeypatch.setattr(shared_module, "LEASE", LEASE)
        monkeypatch.setattr("serving.gateway.tenants.limiter.LEASE", 0.3)
        one, other = ticket(killed), ticket(alive)
        assert [await admitted(killed, one), await admitted(alive, other)] == ["", ""]
        most_of_a_lease_passes()
        assert await admitted(alive, ticket(alive)) == "concurrent"
        renewing = asyncio.create_task(alive.run())
        while left(other) < left(one) + LEASE / 2:
            await asyncio.sleep(0.05)
        most_of_a_lease_passes()
        assert await admitted(alive, ticket(alive)) == ""
        assert await admitted(alive, ticket(alive)) == "concurrent"  # its own are in flight all the time
        renewing.cancel()
        for one in (killed, alive):
            await one.stop()

    run(scene())


def test_while_redis_is_away_each_gateway_counts_on_from_what_it_knew(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        monkeypatch.setattr(shared_module, "AGAIN", 0.05)
        limiter = Limiter({"shop": TenantLimits(requests_per_minute=5)}, SharedCounts(lambda: own_redis.url, "us:"))
        assert [await admitted(limiter, ticket(limiter)) for _ in range(3)] == ["", "", ""]
        own_redis.stop()
        assert [await admitted(limiter, ticket(limiter)) for _ in range(3)] == ["", "", "requests"]
        assert not limiter.counts_together
        own_redis.start()
        while not limiter.counts_together:
            await asyncio.sleep(0.05)
            await admitted(limiter, ticket(limiter))
        await limiter.stop()

    run(scene())


def test_what_redis_counted_in_flight_is_in_flight_when_it_is_away(own_redis: RedisServer) -> None:
    async def scene() -> None:
        limiter = Limiter({"shop": TenantLimits(max_concurrent=2)}, SharedCounts(lambda: own_redis.url, "us:"))
        tickets = [ticket(limiter) for _ in range(2)]
        assert [await admitted(limiter, one) for one in tickets] == ["", ""]
        own_redis.stop()
        assert await admitted(limiter, ticket(limiter)) == "concurrent"
        limiter.close(tickets[0])
        assert await admitted(limiter, ticket(limiter)) == ""
        await limiter.stop()

    run(scene())


def test_a_limit_that_is_new_counts_from_then_on(redis_url: str) -> None:
    async def scene() -> None:
        shared = SharedCounts(lambda: redis_url, "us:")
        before, now = (Limiter({"shop": TenantLimits(**given)}, shared) for given in (
            {"tokens_per_minute": 10**6}, {"tokens_per_minute": 10**6, "requests_per_minute": 2},
        ))  # fmt: skip
        assert {await admitted(before, ticket(before, 1)) for _ in range(50)} == {""}
        assert redis.Redis.from_url(redis_url).ttl("us:limits:shop") <= 61
        assert [await admitted(now, ticket(now, 1)) for _ in range(3)] == ["", "", "requests"]
        await shared.close()

    run(scene())


def test_a_clock_of_redis_that_jumps_takes_nothing_and_gives_no_more_than_the_limit(redis_url: str) -> None:
    async def scene() -> None:
        limiter = Limiter({"shop": TenantLimits(tokens_per_minute=1000)}, SharedCounts(lambda: redis_url, "us:"))
        client = redis.Redis.from_url(redis_url)
        one = ticket(limiter, 900)
        assert await admitted(limiter, one) == ""
        assert 40 < client.ttl("us:limits:shop") <= 61, "known until all is filled in again"
        client.hincrbyfloat("us:limits:shop", "at", 3600)  # the clock was set back
        assert await admitted(limiter, ticket(limiter, 50)) == ""
        client.hincrbyfloat("us:limits:shop", "at", -3600)
        one.meter.feed(USED)
        limiter.close(one)
        await settle(limiter)
        assert [await admitted(limiter, ticket(limiter, tokens)) for tokens in (1000, 500)] == ["", "tokens"]
        await limiter.stop()

    run(scene())


def test_without_a_redis_that_is_known_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        limiter = Limiter({"shop": TenantLimits(requests_per_minute=1)}, SharedCounts(lambda: "", "us:"))
        assert await admitted(limiter, ticket(limiter)) == ""
        with contextlib.suppress(RateLimited):
            assert limiter.admit(ticket(limiter)) is None
        assert +limiter.refused == {"requests": 1}
        assert not limiter.counts_together

    run(scene())
