"""A real Prometheus scrapes every role of `up`, and every expression of the board gives data."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.packaging.scraping import expressions, scraped
from tests.shared_data import need_program
from tests.waiting import eventually
from trials.system import System
from understudy.process.ports import bound
from understudy.state import StateDir

pytestmark = pytest.mark.loop
ROLES = {"controller", "engine-student-a", "engine-student-b", "engine-teacher", "trainer", "worker"}


@pytest.mark.timeout(600)
def test_a_prometheus_finds_every_role_and_the_board_has_data(settled: System, tmp_path: Path) -> None:
    need_program("prometheus")
    with bound("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    question = {"model": "auto", "max_tokens": 8, "messages": [{"role": "user", "content": "Hello"}]}
    with scraped(StateDir(settled.state), tmp_path, port) as prometheus:
        eventually(prometheus.ready, 120, "Prometheus")
        httpx.post(f"{settled.gateway}/v1/chat/completions", json=question, timeout=60).raise_for_status()

        def all_up() -> bool:
            found = prometheus.processes()
            gateways = [name for name in found if name.startswith("gateway-")]
            return found.keys() >= ROLES and len(gateways) >= 1 and set(found.values()) == {"1"}

        eventually(all_up, 180, "a scrape of every role")
        eventually(lambda: [one for one in expressions() if not prometheus.ask(one)] == [], 180, "data for the board")
        assert prometheus.ask('ALERTS{alertname="UnderstudyNoReadyArm", alertstate="firing"}') == []
