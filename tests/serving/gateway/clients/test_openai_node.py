"""OpenAI's client for Node: `npm ci` in the folder beside this file installs it, as `scripts/system-packages` does."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.serving.gateway.clients.conftest import STATES
from tests.shared_data import need_package, need_program

NODE = Path(__file__).parent / "node"
pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]


@pytest.fixture(autouse=True, scope="module")
def _installed() -> None:
    need_program("node")
    need_package(NODE / "node_modules" / "openai")


@pytest.fixture
def node(base: str) -> Callable[[str], Any]:
    """Runs a part of `client.mjs`; what it prints."""

    def run(what: str) -> Any:
        done = subprocess.run(["node", "client.mjs", base, what], cwd=NODE, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_a_stream_says_what_the_whole_reply_says(node: Callable[[str], Any]) -> None:
    said = node("stream")
    assert said["whole"]
    assert said["streamed"] == said["whole"]
    assert said["usage"]["completion_tokens"] > 0


def test_a_tool_call_is_put_together_from_its_stream(node: Callable[[str], Any]) -> None:
    call = node("tools")
    assert call["name"] == "find_order"
    assert call["arguments"]["state"] in STATES


def test_an_abort_frees_the_engine(node: Callable[[str], Any], freed: Callable[[], None]) -> None:
    assert node("abort")["aborted"]
    freed()


def test_a_refusal_is_the_clients_own_error(node: Callable[[str], Any]) -> None:
    error = node("refused")
    assert (error["kind"], error["status"], error["code"]) == ("NotFoundError", 404, "model_not_found")
    assert error["id"]
