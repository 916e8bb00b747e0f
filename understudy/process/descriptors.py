"""File descriptors: how many this process may have open."""

from __future__ import annotations

import resource

ENOUGH = 1 << 16
"""As many as any process of ours needs."""


def limit() -> int:
    """The number that holds now, at most ENOUGH."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return ENOUGH if soft == resource.RLIM_INFINITY else min(soft, ENOUGH)


def raise_limit() -> int:
    """Raise it to ENOUGH, or as far as this process may; the number that holds then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return limit()
