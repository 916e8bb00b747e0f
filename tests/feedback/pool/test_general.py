"""Half of all exchanges stand for all traffic, whoever asks."""

from __future__ import annotations

from feedback.events import exchange_id
from feedback.pool.general import is_general


def test_it_is_half_of_the_exchanges_and_always_the_same_half() -> None:
    ids = [exchange_id(f"resp-{n}") for n in range(4000)]
    chosen = [identity for identity in ids if is_general(identity)]
    assert 1850 < len(chosen) < 2150
    assert chosen == [identity for identity in ids if is_general(identity)]
    assert [is_general(f"general-{n}") for n in range(6)] == [False, True, True, True, False, False]
