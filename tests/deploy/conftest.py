"""A world whose controller and fleet have settled."""

from __future__ import annotations

import pytest

from tests.deploy.fleet import World
from understudy.state import StateDir


@pytest.fixture
def world(state_dir: StateDir) -> World:
    made = World(state_dir)
    made.turn()
    return made
