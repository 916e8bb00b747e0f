"""The lease of a leader that works, is slow, was stopped, or is stuck."""

from __future__ import annotations

from deploy.control.keeper import STUCK, LeaseKeeper
from tests.deploy.fleet import Time
from tests.waiting import eventually


class Held:
    """A lease that counts its renewals; `gone`: somebody else has it."""

    def __init__(self) -> None:
        self.renewals = 0
        self.gone = False

    def acquire(self) -> bool:
        return True

    def renew(self) -> bool:
        self.renewals += 1
        return not self.gone

    def release(self) -> None:
        pass


def test_a_leader_that_was_stopped_asks_before_it_does_anything() -> None:
    lease, clock = Held(), Time(0.0)
    keeper = LeaseKeeper(lease, clock)
    assert keeper.alive()
    assert lease.renewals == 0
    lease.gone = True
    assert keeper.alive(), "it was renewed a moment ago"
    clock.at += 10
    assert not keeper.alive()
    lease.gone = False
    assert not keeper.alive(), "lost is lost"


def test_the_lease_is_renewed_while_a_tick_takes_long_and_not_for_ever() -> None:
    lease, clock = Held(), Time(0.0)
    keeper = LeaseKeeper(lease, clock)
    keeper.start()
    try:
        eventually(lambda: lease.renewals > 1, what="a renewal without the loop")
        clock.at += STUCK + 1
        assert _rests(lease)
    finally:
        keeper.close()


def _rests(lease: Held) -> bool:
    """Whether no renewal comes within a beat or two."""
    before = lease.renewals
    try:
        eventually(lambda: lease.renewals > before, 2.5)
    except AssertionError:
        return True
    return False
