"""What clients of every kind are asked to do, and the gateway before real engines that they do it with."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from deploy.engines.queries import read_busy
from tests.engines import Engines
from tests.serving.gateway.conftest import Running
from tests.waiting import eventually

TEXT = "Where is my order 4711? 我的订单在哪里？"
MESSAGES = [{"role": "user", "content": TEXT}]
ASKED = {"model": "teacher", "messages": MESSAGES, "temperature": 0, "max_tokens": 24}
ENDLESS = {**ASKED, "temperature": 1, "max_tokens": 900, "n": 4, "stream": True}
"""With `ignore_eos` far longer than any test waits for it."""
STATES = ["paid", "sent"]
SCHEMA = {
    "type": "object", "properties": {"state": {"type": "string", "enum": STATES}}, "required": ["state"],
    "additionalProperties": False,
}  # fmt: skip
TOOL = {"type": "function", "function": {"name": "find_order", "description": "Finds it.", "parameters": SCHEMA}}
CHOICE = {"type": "function", "function": {"name": "find_order"}}


@pytest.fixture
def base(before_engines: Running) -> str:
    """The base URL that an application is given."""
    return f"http://127.0.0.1:{before_engines.port}/v1"


@pytest.fixture
def freed(before_engines: Running, engines: Engines) -> Callable[[], None]:
    """Waits until nobody is served and the teacher's engine works on nothing: the request was the client's to end."""

    def idle() -> bool:
        metrics = httpx.get(
            f"{engines.url('teacher')}/metrics", headers=engines.headers(), trust_env=False, timeout=60
        ).text
        return before_engines.gateway.metrics.in_flight == 0 and read_busy(metrics) == 0

    def wait() -> None:
        eventually(idle, what="the engine's end of work")
        assert [one.outcome for one in before_engines.spool.raw] == ["cancelled"]

    return wait
