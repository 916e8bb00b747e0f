"""`/metrics` of roles that serve nothing else."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import httpx
import pytest

from understudy.state import StateDir
from understudy.telemetry.config import TelemetryConfig
from understudy.telemetry.metrics import Metric, MetricsPage
from understudy.telemetry.server import shown

LEVEL = Metric("understudy_level_bytes", "gauge", "How much.")


def test_a_page_is_shown_and_told_as_long_as_the_role_runs(state_dir: StateDir) -> None:
    page = MetricsPage("worker")
    page.value(LEVEL, lambda: 7.0)
    told = state_dir.metrics / "worker.json"
    with shown(page, "worker", state_dir, TelemetryConfig()) as url:
        answer = httpx.get(f"{url}/metrics", timeout=60)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert "understudy_level_bytes 7.0\n" in answer.text
        assert httpx.get(url, timeout=60).status_code == 404
        refused = httpx.get(f"{url}/metrics", headers={"x-forwarded-for": "192.0.2.1"}, timeout=60)
        assert refused.status_code == 401
        assert "metrics.token" in refused.text
        place = [{"targets": [urlsplit(url).netloc], "labels": {"process": "worker"}}]
        assert json.loads(told.read_text()) == place
    assert not told.exists()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/metrics", timeout=60)


def test_who_connects_and_says_nothing_does_not_keep_others_out(state_dir: StateDir) -> None:
    with shown(MetricsPage("worker"), "worker", state_dir, TelemetryConfig()) as url:
        place = urlsplit(url)
        with socket.create_connection((place.hostname, place.port or 0)):
            assert httpx.get(f"{url}/metrics", timeout=60).status_code == 200


def test_a_port_that_is_taken_stops_nobody(state_dir: StateDir, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with shown(MetricsPage("worker"), "worker", state_dir, TelemetryConfig(port=port)) as url:
            assert urlsplit(url).port != port
            assert httpx.get(f"{url}/metrics", timeout=60).status_code == 200
    assert "telemetry.port" in caplog.text


def test_an_address_that_is_none_of_this_machine_stops_nobody(
    state_dir: StateDir, caplog: pytest.LogCaptureFixture
) -> None:
    with shown(MetricsPage("worker"), "worker", state_dir, TelemetryConfig(host="192.0.2.77")) as url:
        assert url == ""
    assert "shows no metrics" in caplog.text
