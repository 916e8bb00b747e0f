"""A real Prometheus over the roles of a state directory, and the expressions of the board."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.shared_data import need_program
from tests.waiting import LONG
from understudy.state import StateDir
from understudy.telemetry.table import metrics

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"


class Scraper:
    """A Prometheus that runs; asks are PromQL."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=60)

    def ask(self, expr: str) -> list[dict[str, Any]]:
        """The series that an expression gives now."""
        answer = self._client.get("/api/v1/query", params={"query": expr})
        assert answer.status_code == 200, f"{expr}: {answer.text}"
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.HTTPError:
            return False

    def processes(self) -> dict[str, str]:
        """By process of ours whether its last scrape went well, `1` or `0`."""
        return {one["metric"]["process"]: one["value"][1] for one in self.ask('up{job="understudy"}')}


@contextmanager
def scraped(state: StateDir, folder: Path, port: int) -> Iterator[Scraper]:
    """A Prometheus by the configuration of `packaging/`, but once a second and for `state`."""
    config = yaml.safe_load((PACKAGING / "prometheus" / "prometheus.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(PACKAGING / "prometheus" / "alerts.yml")]
    found = config["scrape_configs"][0]["file_sd_configs"][0]
    found.update(files=[f"{state.metrics.absolute()}/*.json"], refresh_interval="1s")
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
             f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield Scraper(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(LONG)


def expressions() -> list[str]:
    """Every expression of the board, with a range in place of Grafana's variable."""
    board = json.loads((PACKAGING / "grafana" / "understudy.json").read_text("utf-8"))
    targets = (target for panel in board["panels"] for target in panel.get("targets", []))
    return [target["expr"].replace("$__rate_interval", "30s") for target in targets]


def without(page: str, *owners: str) -> set[str]:
    """The metrics of `owners`, as the table of docs/metrics.md has them, whose help is not on a page."""
    shown = {line.split(" ", 3)[2] for line in page.splitlines() if line.startswith("# HELP ")}
    return {metric.name for owner, metric in metrics() if owner in owners} - shown


def promtool_says(page: str) -> str:
    """What `promtool check metrics` has to say of a page; nothing of a good one."""
    need_program("promtool")
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, timeout=LONG)
    return done.stdout + done.stderr + (f"exit code {done.returncode}" if done.returncode else "")
