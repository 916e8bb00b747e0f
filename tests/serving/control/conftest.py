"""The routes over a conductor in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from feedback.store.config import RedisConfig
from serving.control.app import create_app
from serving.control.sources import Sources
from tests.deploy.fleet import World, settled
from understudy.config import Config
from understudy.state import StateDir

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "token of the tests"


@pytest.fixture
def world(state_dir: StateDir) -> World:
    """A settled system whose conductor the test drives."""
    return settled(state_dir)


@pytest.fixture
def sources(redis_url: str, state_dir: StateDir) -> Sources:
    """What the control plane reads from an empty Redis."""
    return Sources(Config({"kpis": {"declared": ["smile"]}}), RedisConfig(url=redis_url), state_dir)


@pytest.fixture
def admin(world: World, sources: Sources) -> Iterator[TestClient]:
    """A client of the routes over `world`, with the token."""
    with client(world, sources) as made:
        yield made


def client(world: World, sources: Sources) -> TestClient:
    """A client of the routes over a world, with the token."""
    app = create_app(world.conductor, sources, TOKEN)
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    return TestClient(app, "http://t/admin/v1", headers=headers, raise_server_exceptions=False)
