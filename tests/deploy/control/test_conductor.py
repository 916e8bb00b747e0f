"""The controller as a whole, on a fleet that obeys: killed at any tick it comes to the same end."""

from __future__ import annotations

import pytest

from deploy.rounds.store import FileRounds
from tests.deploy.fleet import World, actions


@pytest.mark.parametrize("ticks", range(1, 6))
def test_a_controller_killed_at_any_tick_ends_at_the_same_place(world: World, ticks: int) -> None:
    version = world.candidate()
    world.evidence(version, 60)
    for _ in range(12):
        world.turn(ticks)
        world.start()
        if world.conductor.deployment.state.canary is not None and world.conductor.deployment.state.canary.step == 0:
            world.evidence(version, 120)
    document = world.turn(5)
    assert (document.stable, document.previous) == (version, ("v2", "v1"))
    assert FileRounds(world.state).get(1).state == "done"
    assert actions(world).count("version.promoted") == 1
