"""A gateway whose disk fills: it serves on, counts what it cannot store, and stores again once there is room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from feedback.store.server import free_port
from serving.gateway.metrics import Metrics
from tests.serving.gateway.conftest import Client
from tests.serving.gateway.test_main import start_gateway
from tests.serving.gateway.upstream import Engine
from tests.volumes import fill, small_volume
from tests.waiting import LONG, eventually


def counted(client: Client, name: str) -> float:
    """A series of the gateway's page."""
    page = client.send("GET", "/metrics")[2].decode()
    return next(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(f"{name} "))


@pytest.mark.timeout(180)
def test_a_full_disk_under_the_spool(engine: Callable[..., Engine], tmp_path: Path, loop: object) -> None:
    config, port = tmp_path / "u.yaml", free_port()
    bus = f"redis://127.0.0.1:{free_port()}/0"  # nobody is there, so that nothing leaves the spool
    config.write_text(
        f"engines:\n  teacher: {{url: '{engine('teacher').url}', model: big}}\nredis: {{url: '{bus}'}}\n", "utf-8"
    )
    dropped, stored = 'understudy_outbox_dropped_total{reason="spool"}', "understudy_outbox_stored_total"
    with small_volume(tmp_path / "state", 12 << 20) as state:
        words = ("--state", str(state), "--port", str(port), "--gateway-only")
        process = start_gateway(config, tmp_path, *words)
        try:
            client = Client(port, Metrics())
            eventually(lambda: client.send("GET", "/ready")[0] == 200, 60)
            eventually(lambda: counted(client, "understudy_outbox_alive") == 1, 60, "the process of the outbox")

            def serves_until(holds: Callable[[], bool]) -> None:
                for _ in range(400):
                    assert client.chat("长" * 20_000)[0] == 200
                    if holds():
                        return
                pytest.fail("400 requests changed nothing")

            serves_until(lambda: counted(client, stored) > 0)
            filler = fill(state)
            serves_until(lambda: counted(client, dropped) > 2)
            before = counted(client, stored)
            filler.unlink()
            serves_until(lambda: counted(client, stored) > before + 2)
        finally:
            process.terminate()
            assert process.wait(LONG) == 0
