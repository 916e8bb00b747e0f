"""`understudy serve` before two engines that somebody else runs, with a Redis: everything but learning."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml
from redis import Redis

from feedback.store.keys import RedisKeys
from feedback.store.server import free_port
from feedback.store.spending import FRESH, utc_day
from serving.control.printing import AT_THE_CAP
from serving.gateway.main import parse
from serving.gateway.metrics import Metrics
from serving.serve import wants_companions
from tests.onboard.terminal import blocks
from tests.serving.gateway.conftest import Client
from tests.serving.gateway.upstream import Engine
from tests.waiting import LONG, eventually, within_a_day
from understudy.config import Config
from understudy.state import StateDir

ROOT = Path(__file__).resolve().parents[2]
SECTION = "4 Engines that somebody else runs, both arms"
CAP = 1_000_000
KEYS = RedisKeys("own:")
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PATH": os.environ.get("PATH", ""), "TEACHER_KEY": "sk-of-the-teacher"}


@dataclass
class OwnEngines:
    """Two engines of somebody else, the configuration that names them, and `serve` before them."""

    config: Path
    state: Path
    client: Client
    control: str
    process: subprocess.Popen[bytes]
    redis: Redis
    teacher: Engine

    def admin(self, method: str, path: str, **more: Any) -> Any:
        token = (self.state / "run" / "admin.token").read_text("ascii").strip()
        headers = {"authorization": f"Bearer {token}"}
        return httpx.request(
            method, f"{self.control}/admin/v1{path}", headers=headers, trust_env=False, timeout=60, **more
        )

    def spent(self) -> dict[str, Any]:
        """Tokens of the teacher today, by what for, and their cap."""
        return dict(self.admin("GET", "/status").json()["spending"])

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "understudy", *words, "--state", str(self.state)]
        folder = self.config.parent
        return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=LONG)


@pytest.fixture
def own(loop: asyncio.AbstractEventLoop, redis_url: str, tmp_path: Path) -> Iterator[OwnEngines]:
    within_a_day(30)
    engines = [Engine("teacher", loop), Engine("student", loop)]
    engines[1].words = ("我不知道", "。")
    for engine in engines:
        engine.start()
    port, control = free_port(), free_port()
    file = tmp_path / "understudy.yaml"
    (_, text), (_, words), _ = blocks(SECTION)
    settings = yaml.safe_load(text)  # as the page has it, but for what this machine and the figures below ask for
    for role, engine in zip(("teacher", "student"), engines, strict=True):
        settings["engines"][role]["url"] = f"{engine.url}/v1"
    settings["engines"]["teacher"] |= {"api_key_env": "TEACHER_KEY", "daily_tokens": CAP}
    settings["redis"] = {"url": redis_url, "prefix": KEYS.prefix}
    settings |= {"gateway": {"port": port}, "control": {"port": control}}
    settings["shadow"] = {"to_student": 1.0, "to_teacher": 1.0, "default_temperature": 0}
    file.write_text(yaml.safe_dump(settings))
    state = tmp_path / "state"
    command = [sys.executable, "-m", *shlex.split(words), "--state", str(state)]
    with (tmp_path / "serve.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stderr=log)
    made = OwnEngines(file, state, Client(port, Metrics()), f"http://127.0.0.1:{control}", process,
                      Redis.from_url(redis_url), engines[0])  # fmt: skip
    try:
        eventually(lambda: made.client.send("GET", "/ready")[0] == 200, 60, "a gateway")
        eventually(lambda: made.admin("GET", "/status").json()["epoch"] is not None, 60, "a control plane")
        yield made
    finally:
        process.terminate()
        process.wait(LONG)
        for engine in engines:
            engine.stop()


def followed(status: dict[str, Any]) -> bool:
    """Whether the one gateway serves by the document of the control plane."""
    return [gateway["epoch"] for gateway in status["gateways"]] == [status["epoch"]]


def test_one_command_serves_compares_counts_and_shows_two_engines_of_somebody_else(own: OwnEngines) -> None:
    status = own.admin("GET", "/status").json()
    assert status["live"] == {"teacher": "external", "student": "external", "caveats": [], "notes": {}}
    assert (status["learning"]["possible"], status["slots"]["student-a"]["state"]) == (False, "external")
    assert "somebody else runs" in own.command("status").stdout
    eventually(lambda: followed(own.admin("GET", "/status").json()), 60, "the gateway to follow")

    for model in ("student", "teacher"):
        code, headers, _ = own.client.chat(model=model)
        assert (code, headers["x-understudy-arm"], headers["x-understudy-version"]) == (200, model, "external")
    experiment = {
        "id": "half", "arms": {"teacher": 0.5, "student": 0.5}, "stop": {"planned_units": 100},
        "primary": {"kpi": "first_response_correct", "test": "superiority"},
    }  # fmt: skip
    assert own.admin("PUT", "/experiments/half", json=experiment).status_code == 200

    def arms() -> set[str]:
        sent = [own.client.chat(headers={"x-understudy-user": f"user-{n}"})[1] for n in range(20)]
        assert {headers["x-understudy-experiment"] for headers in sent} == {"half"}
        return {headers["x-understudy-arm"] for headers in sent}

    eventually(lambda: arms() == {"teacher", "student"}, what="a split")
    feedback = {"session_id": "s", "kpi": "rating", "value": 9}
    assert own.client.send("POST", "/v1/feedback", json.dumps(feedback).encode())[0] == 202

    def counted() -> bool:
        kpis = own.admin("GET", "/kpis", params={"by": "arm"}).json()["kpis"]
        pool, results = own.admin("GET", "/pool").json(), own.admin("GET", "/experiments/half/results").json()
        return {"teacher", "student"} <= set(kpis) and pool["size"] > 0 and results["arms"]["student"]["units"] > 0

    eventually(counted, 60, "pairs in the pool, KPIs by arm and exposures")
    for line in blocks(SECTION)[2][1].splitlines():
        typed = own.command(*shlex.split(line)[1:])
        assert typed.returncode == 0, typed.stderr
    assert json.loads((own.config.parent / "pool.jsonl").read_text().splitlines()[0])["student_text"]
    kinds = ("primary", "shadow", "probes")
    eventually(lambda: all(own.spent()[kind] > 0 for kind in kinds), 60, "what each kind of request cost")
    assert (own.spent()["scoring"], own.spent()["cap"]) == (0, CAP)
    for path in ("/rounds", "/rollback", "/promote"):
        refused = own.admin("POST", path, json={"version": "v1"} if path == "/promote" else {})
        assert refused.status_code == 409
        assert "run" in refused.json()["error"]["message"]


def test_at_the_cap_of_the_day_no_copy_asks_the_teacher_and_both_arms_go_on_answering(own: OwnEngines) -> None:
    def dropped() -> int:
        counted: Any = own.redis.hget(KEYS.counters, "dropped_refused")
        return int(counted or 0)

    assert own.client.chat("一", model="student")[0] == 200
    eventually(lambda: own.spent()["shadow"] > 0, 60, "a copy to the teacher")
    eventually(lambda: own.admin("GET", "/status").json()["teacher"]["asked"], 60, "the probes at the start")
    own.redis.hincrby(KEYS.spent, f"{utc_day(time.time())}:primary", CAP)
    time.sleep(2 * FRESH)  # what the worker read before is not used any more
    before, asked = own.spent(), len(own.teacher.seen)
    for n in range(3):
        assert own.client.chat(f"第{n}", model="student")[0] == 200
    eventually(lambda: dropped() == 3, 60, "three copies that were not made")
    assert len(own.teacher.seen) == asked
    assert own.client.chat("二", model="teacher")[0] == 200
    eventually(lambda: own.spent()["primary"] > before["primary"], 60, "an answer beyond the cap, counted")
    assert {name: n for name, n in own.spent().items() if name != "primary"} == {
        name: n for name, n in before.items() if name != "primary"
    }
    assert f"tokens  {AT_THE_CAP}" in own.command("status").stdout


def test_a_companion_that_dies_comes_back_and_none_outlives_the_gateway(own: OwnEngines) -> None:
    def child(name: str) -> psutil.Process:
        mine = psutil.Process(own.process.pid).children()
        return next(one for one in mine if name in one.cmdline())

    old = child("worker")
    old.kill()
    eventually(lambda: child("worker").pid != old.pid, what="a new worker")
    pids = [child(name).pid for name in ("worker", "controller")]
    own.process.terminate()
    assert own.process.wait(LONG) == 0
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.parametrize(
    ("raw", "words", "expected"),
    [
        ({"engines": {"student": {"url": "http://h", "model": "m"}}, "redis": {"url": "redis://h"}}, [], True),
        ({"engines": {"student": {"url": "http://h", "model": "m"}}}, [], False),
        ({"redis": {"url": "redis://h"}}, [], False),
        (
            {"engines": {"student": {"url": "http://h", "model": "m"}}, "redis": {"url": "redis://h"}},
            ["--gateway-only"],
            False,
        ),
    ],
)
def test_companions_run_before_engines_of_others_with_a_redis_of_ones_own(
    raw: dict[str, Any], words: list[str], expected: bool, state_dir: StateDir
) -> None:
    assert wants_companions(Config(raw), parse(words), state_dir) is expected


def test_the_file_of_the_page_on_your_models_has_all_that_companions_need(state_dir: StateDir) -> None:
    config = Config(yaml.safe_load(blocks(SECTION)[0][1]))
    config.check()
    assert wants_companions(config, parse([]), state_dir)
