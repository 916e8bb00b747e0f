"""The worker process: asks real HTTP engines by the routing document, waits for Redis, stops on SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ab.experiment import Experiment
from deploy.routing.document import RouterConfig, RoutingDocument, ShadowRates, SlotView
from deploy.routing.stores import open_routing
from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.consume.loops import Worker, WorkerConfig
from feedback.outbox.config import OutboxConfig
from feedback.outbox.outbox import Outbox
from feedback.pool.store import Pool
from feedback.shadow.pairing import Valued
from feedback.shadow.stats import Stats
from feedback.store.config import RedisConfig
from feedback.store.connection import connect
from feedback.store.server import RedisServer
from serving.engine.config import EnginesConfig
from serving.worker import EngineDirectory, page_of
from tests.feedback.factory import Directory, exchange
from tests.packaging.scraping import promtool_says, without
from tests.waiting import LONG, eventually
from understudy.files import write_json
from understudy.state import StateDir

ROOT = Path(__file__).resolve().parents[2]


class FakeEngine(BaseHTTPRequestHandler):
    """Answers as an engine does, with 409 for a version that it does not hold."""

    def do_GET(self) -> None:
        self._send(200, b'vllm:num_requests_running{model_name="x"} 0.0\n')

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        seen = {k.lower(): v for k, v in self.headers.items()} | {"body": body}
        self.server.seen.append(seen)  # type: ignore[attr-defined]
        if seen.get("x-understudy-version") != self.server.version:  # type: ignore[attr-defined]
            self._send(409, b'{"error": {"message": "another version"}}')
            return
        text = "您的订单将在 9 天内送达。"
        answer = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": {}}
        self._send(200, json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def engine() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeEngine)
    server.version, server.seen = "v1", []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture
def worker(state_dir: StateDir) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", "import sys; from serving.worker import main; sys.exit(main(sys.argv[1:]))"]
    env = {**os.environ, "UNDERSTUDY_SHADOW__DEFAULT_TEMPERATURE": "0"}
    with (state_dir.root / "worker.log").open("wb") as log:
        process = subprocess.Popen([*command, "--state", str(state_dir.root)], cwd=ROOT, env=env, stderr=log)
    yield process
    process.kill()
    process.wait()


def test_a_pair_comes_through_the_process(
    engine: ThreadingHTTPServer, worker: subprocess.Popen[bytes], redis_url: str, state_dir: StateDir
) -> None:
    said = state_dir.root / "worker.log"
    eventually(lambda: "no Redis is known" in said.read_text())
    documents = open_routing(state_dir, redis_url).documents
    slot = SlotView(
        desired="v1", url=f"http://127.0.0.1:{engine.server_port}", model="student", version="v1", ready=True
    )
    documents.publish(RoutingDocument(epoch=1, slots={"student-a": slot}, stable="v1", shadow={"to_student": 1.0}))
    write_json(state_dir.addresses, {"redis": redis_url})
    bus = open_bus(BusConfig(url=redis_url), RedisConfig())
    gateway = Outbox(state_dir.spool, "gateway", bus, OutboxConfig())
    gateway.start()
    client = connect(redis_url)
    eventually(lambda: "the worker runs" in said.read_text())
    gateway.put(exchange(1))
    eventually(lambda: Pool(client).size() == 1)
    eventually(lambda: [one.student for one in Stats(client).recent_verdicts()] == ["v1"])
    asked = engine.seen[-1]  # type: ignore[attr-defined]
    assert asked["authorization"] == f"Bearer {state_dir.engine_key.read_text().strip()}"
    assert (asked["x-understudy-version"], asked["body"]["priority"], asked["body"]["temperature"]) == ("v1", 10, 0)
    gateway.close()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(LONG) == 0


def test_settings_of_a_bus_that_forgets_are_told_at_the_start(
    worker: subprocess.Popen[bytes], own_redis: RedisServer, state_dir: StateDir
) -> None:
    connect(own_redis.url).config_set("maxmemory-policy", "allkeys-lru")
    write_json(state_dir.addresses, {"redis": own_redis.url})
    said = state_dir.root / "worker.log"
    eventually(lambda: "the worker runs" in said.read_text())
    assert "set maxmemory-policy noeviction" in said.read_text()


def test_it_stops_while_it_waits_for_redis(worker: subprocess.Popen[bytes], state_dir: StateDir) -> None:
    eventually(lambda: "no Redis is known" in (state_dir.root / "worker.log").read_text())
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(LONG) == 0


async def test_a_document_that_cannot_be_used_leaves_the_last_view(state_dir: StateDir) -> None:
    documents = open_routing(state_dir, None).documents
    directory = EngineDirectory(documents, EnginesConfig(), RouterConfig(), "key")
    for epoch, url in enumerate(("http://127.0.0.1:1", "http://a:b", "http://127.0.0.1:1"), 1):
        slot = SlotView(desired=f"v{epoch}", url=url, model="student", version=f"v{epoch}", ready=True)
        documents.publish(RoutingDocument(epoch=epoch, slots={"student-a": slot}))
        await directory.refresh()
        arms = directory.arms()
        assert arms is not None
        assert set(arms.students) == ({"v1"} if epoch < 3 else {"v3"})
    await directory.close()


async def test_copies_go_to_the_unfit_student_where_none_is_stable(state_dir: StateDir) -> None:
    documents = open_routing(state_dir, None).documents
    directory = EngineDirectory(documents, EnginesConfig(), RouterConfig(), "key")
    slot = SlotView(desired="v1", url="http://127.0.0.1:1", model="student", version="v1", ready=True)
    documents.publish(RoutingDocument(epoch=1, slots={"student-a": slot}, unfit="v1"))
    await directory.refresh()
    arms = directory.arms()
    assert arms is not None
    assert (arms.stable, set(arms.students)) == ("v1", {"v1"})
    await directory.close()


async def test_the_configured_shares_are_copied_until_a_document_says_others(state_dir: StateDir) -> None:
    documents = open_routing(state_dir, None).documents
    engines = {role: {"url": "http://127.0.0.1:1/v1", "model": role} for role in ("teacher", "student")}
    configured = ShadowRates(to_student=0.25, to_teacher=1.0)
    directory = EngineDirectory(
        documents, EnginesConfig.model_validate(engines), RouterConfig(), "key", shadow=configured
    )
    await directory.refresh()
    assert shares(directory) == (0.25, 1.0)
    documents.publish(RoutingDocument(epoch=1, shadow=ShadowRates(to_student=0.75, to_teacher=0.125)))
    await directory.refresh()
    assert shares(directory) == (0.75, 0.125)
    await directory.close()


def shares(directory: EngineDirectory) -> tuple[float, float]:
    """Of what the teacher answered that the student is asked, and the other way round."""
    arms = directory.arms()
    assert arms is not None
    return arms.to_student, arms.to_teacher


async def test_experiments_whose_switches_are_valued_on_copies_are_known_with_who_answers(state_dir: StateDir) -> None:
    documents = open_routing(state_dir, None).documents
    directory = EngineDirectory(documents, EnginesConfig(), RouterConfig(), "key")
    valued = {"id": "x", "layer": "observe", "switches": {"candidate": 0.5}, "shadow": {"coalitions": 0.2}}
    crossed = {"id": "z", "switches": {"guard": 0.5, "candidate": 0.5}, "shadow": {"coalitions": 0.3}}
    files = (valued, {"id": "y", "switches": {"routing": 0.5}}, crossed)
    document = RoutingDocument(epoch=1, experiments=tuple(map(Experiment.model_validate, files)))
    documents.publish(document)
    await directory.refresh()
    arms = directory.arms()
    assert arms is not None
    who = ("stable", "candidate")
    assert dict(arms.coalitions) == {"x": Valued(0.2, who), "z": Valued(0.3, who)}
    await directory.close()


def test_every_metric_of_the_table_is_on_the_page_and_promtool_has_nothing_to_say(
    redis_url: str, tmp_path: Path
) -> None:
    bus = open_bus(BusConfig(url=redis_url), RedisConfig())
    outbox = Outbox(tmp_path, "worker", bus, OutboxConfig())
    worker = Worker(bus, connect(redis_url), outbox, Directory(), WorkerConfig())
    worker.consumer.meter.total["exchanges"] += 3
    told = page_of(outbox, worker).render()
    assert without(told, "Every role", "Worker", "Gateway and worker: the way to the bus") == set()
    assert "understudy_unread_metrics 0.0" in told
    assert promtool_says(told) == ""
