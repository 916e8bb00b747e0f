"""The routes over a conductor in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from fastapi.testclient import TestClient

from feedback.store.config import RedisConfig
from serving.control.app import create_app
from serving.control.client import URL_ENV
from serving.control.sources import Sources
from serving.control.token import ENV
from tests.deploy.fleet import World, settled
from tests.serving.up.server import served
from understudy.config import Config
from understudy.state import StateDir

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "token of the tests"
Said = Callable[..., str]


@pytest.fixture
def world(state_dir: StateDir) -> World:
    """A settled system whose conductor the test drives."""
    return settled(state_dir)


@pytest.fixture
def sources(redis_url: str, state_dir: StateDir) -> Sources:
    """What the control plane reads from an empty Redis."""
    return Sources(Config({"kpis": {"declared": ["smile"]}}), RedisConfig(url=redis_url), state_dir)


@pytest.fixture
def reached(world: World, sources: Sources, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of a control plane over `world` that commands reach, too."""
    with served(create_app(world.conductor, sources, TOKEN)) as url:
        monkeypatch.setenv(URL_ENV, url)
        monkeypatch.setenv(ENV, TOKEN)
        yield url


def saying(commands: ModuleType, capsys: pytest.CaptureFixture[str]) -> Said:
    """Runs a command of a module, by its name and words, and returns what it printed."""

    def run(name: str, *words: str) -> str:
        assert getattr(commands, name)([*words]) == 0
        return capsys.readouterr().out.strip()

    return run


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
