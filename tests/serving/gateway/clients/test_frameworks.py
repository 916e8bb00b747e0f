"""LiteLLM and LangChain, which put OpenAI's protocol behind interfaces of their own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.serving.gateway.clients.conftest import STATES
from tests.shared_data import need_python

CLIENT = Path(__file__).parent / "frameworks" / "client.py"
PYTHON = Path(__file__).parents[4] / ".venv" / "clients" / "bin" / "python"
pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]


@pytest.fixture(autouse=True, scope="module")
def _installed() -> None:
    need_python(PYTHON)


@pytest.fixture
def run(base: str) -> Callable[[str], Any]:
    """Runs a part of `client.py` in the environment of the clients; what it prints."""

    def one(what: str) -> Any:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [str(PYTHON), str(CLIENT), base, what]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return one


def right(said: Any) -> None:
    """Both read the whole reply in a stream, put a tool call together and keep to a schema."""
    assert said["whole"]
    assert said["streamed"] == said["whole"]
    assert (said["tool"], said["arguments"]["state"] in STATES, said["shaped"]["state"] in STATES) == (
        "find_order", True, True,
    )  # fmt: skip


def test_litellm(run: Callable[[str], Any]) -> None:
    said = run("litellm")
    right(said)
    assert "nobody" in said["refused"]


def test_langchain(run: Callable[[str], Any]) -> None:
    said = run("langchain")
    right(said)
    assert said["tokens"] > 0
    assert all(said["beside"])
    assert said["unblocked"] == said["whole"]
