"""Fixtures: engines and gateways on real sockets, each on an event loop in a thread."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from ab.experiment import Experiment
from deploy.engines.external import ExternalEngine
from deploy.routing.document import RoutingDocument, SlotView
from deploy.routing.stores import Routing
from feedback.events import Exposure, Kpi
from feedback.kpis.config import KpisConfig
from serving.engine.config import EnginesConfig
from serving.gateway.completion.stages import STAGES, Stages
from serving.gateway.config import GatewayConfig
from serving.gateway.guarding.watch import GuardWatch
from serving.gateway.main import listen, server_of
from serving.gateway.metrics import Metrics
from serving.gateway.record.assembling import assemble
from serving.gateway.record.raw import RawExchange
from serving.gateway.routes.embeddings import Embeddings
from serving.gateway.service import Gateway
from serving.gateway.snapshot import Follower, Snapshot
from serving.gateway.wiring import Parts
from tests.engines import EARLIER, Engines
from tests.serving.gateway.real import follower, publish
from tests.serving.gateway.upstream import Engine, run
from understudy.errors import Unavailable
from understudy.state import StateDir

SLOT_OF = {"teacher": "teacher", "student": "student-a", "candidate": "student-b"}


@pytest.fixture
def engine(loop: asyncio.AbstractEventLoop) -> Iterator[Callable[..., Engine]]:
    """Makes engines by name."""
    made: list[Engine] = []

    def make(name: str, **kwargs: Any) -> Engine:
        one = Engine(name, loop, **kwargs)
        one.start()
        made.append(one)
        return one

    yield make
    for one in made:
        one.stop()


class Spool:
    """Keeps what the gateway hands over; assembling happens when a test asks for it."""

    bus_known = True

    def __init__(self) -> None:
        self.exposures: list[Exposure] = []
        self.spent: list[Kpi] = []
        self.raw: list[RawExchange] = []
        self.events: list[Any] = []
        self.full = False
        self.full_later = False
        """Whether what was taken turns out to have no room, as on a full disk."""

    def put(self, item: Any, *, refused: Callable[[], None] | None = None) -> bool:
        if isinstance(item, Exposure):
            self.exposures.append(item)
            return not self.full
        if isinstance(item, Kpi):
            self.spent.append(item)
            if self.full_later and refused is not None:
                refused()
            return not self.full
        if not self.full:
            self.raw.append(item)
        return not self.full

    def store(self, event: Any) -> Future[None]:
        stored: Future[None] = Future()
        if self.full:
            stored.set_exception(Unavailable("the outbox is full"))
        else:
            self.events.append(event)
            stored.set_result(None)
        return stored

    def stats(self) -> dict[str, Any]:
        plain = dict.fromkeys(("stored", "published", "pending", "lost", "dead", "oldest_seconds", "spool_bytes"), 0)
        rates = dict.fromkeys(("per_second", "commit_p50_seconds", "commit_p99_seconds", "commit_max_seconds"), 0.0)
        dropped = {"queue": 0, "spool": 2, "assemble": 0, "size": 0, "purged": 0}
        return {"queued": len(self.raw), "bus_up": True, "alive": True, "dropped": dropped, **plain, **rates}

    @property
    def exchanges(self) -> list[Any]:
        return [assemble(raw) for raw in self.raw]


@dataclass
class Client:
    """Asks a gateway, one connection a request; returns once the gateway is done with it, too."""

    port: int
    metrics: Metrics
    loop: asyncio.AbstractEventLoop | None = None
    """The gateway's, where it runs in this process."""

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()
        finally:
            connection.close()
            deadline = time.monotonic() + 60
            while self.metrics.in_flight and time.monotonic() < deadline:
                time.sleep(0.002)
            if self.loop is not None and self.loop.is_running():
                run(self.loop, asyncio.sleep(0))  # what wrote the last byte also counts and records, in the same turn

    def chat(
        self, content: Any = "你好", model: str = "auto", headers: dict[str, str] | None = None, **fields: Any
    ) -> tuple[int, dict[str, str], Any]:
        body = {"model": model, "messages": [{"role": "user", "content": content}], **fields}
        raw = json.dumps(body, ensure_ascii=False).encode()
        status, got, reply = self.send("POST", "/v1/chat/completions", raw, headers)
        return status, got, reply if fields.get("stream") else json.loads(reply)


@dataclass
class Running:
    """A gateway that serves."""

    gateway: Gateway
    client: Client
    spool: Spool
    stop: Callable[[], None]
    snapshot: Snapshot
    port: int = 0
    extra: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def serve(loop: asyncio.AbstractEventLoop) -> Iterator[Callable[..., Running]]:
    """Starts gateways: by a document, or by a follower of a store."""
    running: list[Running] = []

    def start(
        document: RoutingDocument | None = None,
        follow: Callable[[Snapshot, str], Follower] | None = None,
        embeddings: ExternalEngine | None = None,
        stages: Stages = STAGES,
        guard: GuardWatch | None = None,
        **settings: Any,
    ) -> Running:
        listener = listen("127.0.0.1", 0)
        port = listener.getsockname()[1]
        spool = Spool()

        async def begin() -> Running:
            snapshot = Snapshot(document)
            follower = follow(snapshot, f"http://127.0.0.1:{port}") if follow else None
            refresh = follower.refresh if follower else None
            gateway = Gateway(GatewayConfig(**settings), snapshot, spool, refresh, guard=guard)
            embedder = Embeddings(embeddings, gateway.config) if embeddings else None
            server = server_of(Parts(gateway, follower, None, embedder), KpisConfig(declared=("basket",)), stages)
            task = asyncio.ensure_future(server.serve(sockets=[listener]))
            beating = asyncio.ensure_future(follower.run()) if follower else None

            def stop() -> None:
                async def end() -> None:
                    server.should_exit = True
                    await task
                    if beating is not None and follower is not None:
                        beating.cancel()
                        await follower._call(bool)  # whatever it is at: `stop` has little patience
                        await follower.stop()
                    gateway.upstreams.close()
                    if embedder is not None:
                        await embedder.close()

                if not task.done():
                    run(loop, end())

            while not server.started:
                await asyncio.sleep(0.01)
            return Running(gateway, Client(port, gateway.metrics, loop), spool, stop, snapshot, port)

        one: Running = run(loop, begin())
        running.append(one)
        return one

    yield start
    for one in running:
        one.stop()


def following(
    routing: Routing, state: StateDir | None = None, poll: float = 0.05
) -> Callable[[Snapshot, str], Follower]:
    """Makes the follower of a gateway that looks every `poll` seconds."""
    return lambda snapshot, url: Follower(snapshot, routing, state, url, poll, EnginesConfig(), "gateway-test")


def slot(engine: Engine, version: str, ready: bool = True) -> SlotView:
    """The slot that `engine` serves."""
    return SlotView(desired=version, url=engine.url, model=engine.name, version=version, ready=ready)


def document(
    engines: dict[str, Engine], epoch: int = 1, experiments: tuple[Experiment, ...] = (), **fields: Any
) -> RoutingDocument:
    """A document with teacher t1, stable v1 and, where there is an engine for it, v2 in the other slot."""
    versions = {"teacher": "t1", "student": "v1", "candidate": "v2"}
    slots = {SLOT_OF[name]: slot(one, versions[name]) for name, one in engines.items()}
    given: dict[str, Any] = {"teacher": "t1", "stable": "v1", **fields}
    return RoutingDocument(epoch=epoch, slots=slots, experiments=experiments, **given)


def both(make: Callable[..., Engine]) -> dict[str, Engine]:
    """An engine for each arm."""
    return {"teacher": make("teacher"), "student": make("student")}


@pytest.fixture
def teacher(engine: Callable[..., Engine]) -> Engine:
    """An engine alone."""
    return engine("teacher")


@pytest.fixture
def gateway(serve: Callable[..., Running], teacher: Engine) -> Running:
    """A gateway before it."""
    return serve(document({"teacher": teacher}))


@pytest.fixture
def before_engines(serve: Callable[..., Running], engines: Engines) -> Running:
    """A gateway before the engines of vLLM, both versions of the student loaded."""
    engines.settle()
    publish(engines, EARLIER)
    running = serve(engines.routing.documents.read(), partial(follower, engines))
    running.snapshot.engine_key = engines.key
    return running
