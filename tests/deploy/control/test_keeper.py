"""The lease of a leader that works, is slow, was stopped, or is stuck."""

from __future__ import annotations

import pytest

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


def test_the_lease_is_renewed_while_a_tick_takes_long_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("deploy.control.keeper.RENEW", 0.02)
    lease, clock = Held(), Time(0.0)

    def refusals() -> int:
        return sum("no tick has ended" in record.getMessage() for record in caplog.records)

    keeper = LeaseKeeper(lease, clock)
    keeper.start()
    try:
        eventually(lambda: lease.renewals > 1, what="a renewal without the loop")
        clock.at += STUCK + 1
        eventually(refusals, what="a refusal to renew")
        before, said = lease.renewals, refusals()
        eventually(lambda: refusals() > said + 2, what="more of them")
        assert lease.renewals == before
    finally:
        keeper.close()
