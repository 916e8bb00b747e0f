"""A world whose controller and fleet have settled."""

from __future__ import annotations

import pytest

from tests.deploy.fleet import World, settled
from understudy.state import StateDir


@pytest.fixture
def world(state_dir: StateDir) -> World:
    return settled(state_dir)
