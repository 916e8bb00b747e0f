"""Which exchanges stand for all traffic: half of those compared, by hash, whether they passed their checks or not.

The share is no setting: the trainer keeps a part of these exchanges from training for good, so it may never change.
"""

from __future__ import annotations

from understudy.ids import unit_fraction

GENERAL_SHARE = 0.5


def is_general(exchange: str) -> bool:
    """Whether the exchange of this id is one of them."""
    return unit_fraction("general", exchange) < GENERAL_SHARE
