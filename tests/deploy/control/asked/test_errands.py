"""What operators ask for outside the controller's state: in the log before it happens, done although a kill came."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from deploy.control.asked.errands import Errand, Told
from deploy.life.state import AskedFor
from deploy.witness.collect import verify
from tests.deploy.fleet import Time, World, actions, settled
from tests.deploy.killing import killed_everywhere
from understudy.errors import Unavailable
from understudy.ids import random_id


def wish() -> AskedFor:
    return AskedFor(id=random_id(), act="replay", actor="test", name="kpis")


def give(world: World, deed: Any, *, done: str = "dead.replayed", insists: bool = False) -> None:
    world.conductor.errands.kinds["replay"] = Errand("dead.replay", done, deed, insists)


def test_it_is_in_the_log_before_it_is_done_and_again_afterwards(world: World) -> None:
    before: list[str] = []

    def deed(wish: AskedFor) -> tuple[int, Told]:
        before.extend(actions(world)[-1:])
        assert world.conductor.deployment.state.asked == (wish,)
        return 7, {"replayed": 7}

    give(world, deed)
    assert world.conductor.errands.ask(wish(), {"topic": "kpis"}) == 7
    assert (before, actions(world)[-1]) == (["dead.replay"], "dead.replayed")
    assert world.conductor.deployment.state.asked == ()


def test_one_that_fails_says_so_in_the_log_and_is_over(world: World) -> None:
    def away(_: AskedFor) -> tuple[None, Told]:
        raise Unavailable("Redis is away")

    give(world, away)
    with pytest.raises(Unavailable, match="Redis is away"):
        world.conductor.errands.ask(wish(), {})
    assert actions(world)[-2:] == ["dead.replay", "dead.replay.failed"]
    assert world.conductor.deployment.state.asked == ()


def test_one_that_insists_is_tried_again_now_and_then_until_it_is_done(world: World) -> None:
    passed, tried = Time(), []

    def away(_: AskedFor) -> tuple[None, Told]:
        tried.append(passed.at)
        if len(tried) < 3:
            raise Unavailable("Redis is away")
        return None, {}

    world.start(passed)
    give(world, away, insists=True)
    with pytest.raises(Unavailable):
        world.conductor.errands.ask(wish(), {})
    world.turn(3)
    assert len(tried) == 2
    passed.at += 6
    world.turn()
    assert (len(tried), actions(world)[-1]) == (3, "dead.replayed")
    assert world.conductor.deployment.state.asked == ()


def test_one_that_nobody_can_do_yet_waits(world: World) -> None:
    give(world, lambda wish: (None, {}))
    world.conductor.deployment.change(asked=(wish(),))
    world.start()
    world.turn(2)
    assert len(world.conductor.deployment.state.asked) == 1


def with_a_deed(world: World, done: str) -> Path:
    """Have the errand do something that can be seen, in the file that is returned."""
    happened = world.state.run / "happened"

    def deed(_: AskedFor) -> tuple[None, Told]:
        happened.write_text("it did")
        return None, {}

    give(world, deed, done=done)
    return happened


def asked(world: World, done: str) -> None:
    with_a_deed(world, done)
    world.conductor.errands.ask(wish(), {"topic": "kpis"})


def agreed(world: World, done: str) -> None:
    happened = with_a_deed(world, done)
    world.turn(2)
    told = [action for action in actions(world) if action.startswith("dead.")]
    assert told == ["dead.replay", *([done] if done else [])] * happened.exists()
    assert world.conductor.deployment.state.asked == ()
    verify(world.state)


@pytest.mark.parametrize("done", ["", "dead.replayed"])
def test_after_a_kill_at_any_write_it_is_told_and_done_or_neither(tmp_path: Path, done: str) -> None:
    writes = killed_everywhere(settled, partial(asked, done=done), partial(agreed, done=done), tmp_path)
    assert writes > 4, "an act that writes less was not the one that is meant"
