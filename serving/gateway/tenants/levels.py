"""What is left of a tenant's limits: buckets that fill evenly, a minute's worth at most. Pure.

The library `limits` was considered: its counters can neither be given back nor overdrawn, so that an estimate could
not be settled, it knows no requests in flight, and each limit is another call. `shared.COUNT` is the same rule in Lua.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from serving.gateway.config import TenantLimits

Reached = Literal["", "concurrent", "requests", "tokens"]
MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Levels:
    """What is left at a time, in seconds of any clock; tokens may be overdrawn."""

    requests: float
    tokens: float
    at: float
    running: int = 0
    """Requests in flight."""


def full(limits: TenantLimits, at: float) -> Levels:
    """Nothing is used yet."""
    return Levels(limits.requests_per_minute or 0, limits.tokens_per_minute or 0, at)


def filled(levels: Levels, limits: TenantLimits, now: float) -> Levels:
    """What is left `now`."""
    minutes = max(0.0, now - levels.at) / MINUTE
    requests, tokens = limits.requests_per_minute or 0, limits.tokens_per_minute or 0
    return replace(
        levels, requests=min(requests, levels.requests + minutes * requests),
        tokens=min(tokens, levels.tokens + minutes * tokens), at=now,
    )  # fmt: skip


def taken(levels: Levels, limits: TenantLimits, tokens: int, now: float) -> tuple[Reached, Levels]:
    """What a request that may use `tokens` is refused for (empty: nothing), and what is left after it.

    All of it is taken or none. An estimate above the whole limit counts as the whole: nobody is refused for good by a
    guess.
    """
    left = filled(levels, limits, now)
    cost = min(tokens, limits.tokens_per_minute or 0)
    if limits.max_concurrent is not None and left.running >= limits.max_concurrent:
        return "concurrent", left
    if limits.requests_per_minute is not None and left.requests < 1:
        return "requests", left
    if limits.tokens_per_minute is not None and left.tokens < cost:
        return "tokens", left
    return "", replace(left, requests=left.requests - 1, tokens=left.tokens - cost, running=left.running + 1)


def settled(levels: Levels, limits: TenantLimits, back: int, now: float) -> Levels:
    """What is left once a request is over and `back` tokens of what it took are given back (below 0: taken more)."""
    left = filled(levels, limits, now)
    tokens = min(limits.tokens_per_minute or 0, left.tokens + back)
    return replace(left, tokens=tokens, running=max(0, left.running - 1))


def seconds_until(reached: Reached, levels: Levels, limits: TenantLimits, tokens: int) -> int:
    """Whole seconds after which a request that was refused may pass, if nobody comes before it; at least one."""
    if reached == "requests":
        seconds = (1 - levels.requests) * MINUTE / (limits.requests_per_minute or 1)
    elif reached == "tokens":
        most = limits.tokens_per_minute or 1
        seconds = (min(tokens, most) - levels.tokens) * MINUTE / most
    else:
        seconds = 1.0
    return max(1, math.ceil(seconds))


def header_lines(levels: Levels, limits: TenantLimits) -> list[bytes]:
    """The fields by which OpenAI tells limits, of those that there are; `reset` is the time until nothing is used."""
    lines = []
    for name, most, left in (
        ("requests", limits.requests_per_minute, levels.requests), ("tokens", limits.tokens_per_minute, levels.tokens),
    ):  # fmt: skip
        if most is not None:
            reset = duration((most - left) * MINUTE / most)
            lines.append(
                f"x-ratelimit-limit-{name}: {most}\r\nx-ratelimit-remaining-{name}: {max(0, math.floor(left))}\r\n"
                f"x-ratelimit-reset-{name}: {reset}\r\n".encode()
            )
    return lines


def duration(seconds: float) -> str:
    """Seconds as OpenAI writes them: `120ms`, `8.64s`, `6m0s`."""
    if seconds < 1:
        return f"{math.ceil(max(0.0, seconds) * 1000)}ms"
    whole = round(seconds, 2)
    if whole < 60:
        return f"{whole:g}s"
    return f"{int(whole // 60)}m{math.ceil(whole % 60)}s"
