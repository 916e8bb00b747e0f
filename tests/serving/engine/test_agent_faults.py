"""What an agent does when starts fail, documents are away and files cannot be read; the engine is a stub."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.registry.manifest import Manifest, describe_files
from deploy.routing.document import Heartbeat, RoutingDocument, SlotView
from serving.engine.agent import STARTS, Agent
from serving.engine.config import EnginesConfig
from serving.engine.control import EngineReport, LoadRefused
from serving.engine.launch.obstacles import CannotStart
from serving.engine.slot import State
from tests.waiting import eventually_async
from understudy.errors import IntegrityError, Unavailable

FAST = EnginesConfig.model_validate({"backoff_first": 0.01, "backoff_max": 0.02, "bad_retry": 60})


class Stub:
    """An engine, its control and its runner in one; `answers` holds what goes wrong."""

    def __init__(self, failing: set[str] | None = None) -> None:
        self.failing = failing or set()
        self.control: Any = self
        self.version: str | None = None
        self.is_open = False
        self.starts: list[str] = []
        self.refuse: LoadRefused | None = None
        self.busy = 0
        self.drains = 0
        self.ill: str | None = None

    async def adopt(self) -> None:
        return None

    async def start(self, version: str, folder: Path, hashes: Mapping[str, str]) -> int:
        self.starts.append(version)
        if version in self.failing:
            raise CannotStart("port 8100 is in use by another program")
        self.version, self.is_open = version, False
        return 1

    async def stop(self) -> None:
        self.version, self.is_open, self.ill = None, False, None

    async def end(self) -> None:
        await self.stop()

    async def trouble(self) -> str | None:
        return self.ill

    async def memory(self) -> int:
        return 1

    async def drained(self, called_off: Callable[[], bool]) -> bool:
        self.drains += 1
        return not self.busy

    async def close(self) -> None:
        self.is_open = False

    async def open(self, version: str) -> None:
        assert version == self.version
        self.is_open = True

    async def load(self, path: str, version: str, hashes: Mapping[str, str], deadline: float) -> tuple[float, int]:
        assert not self.is_open
        if self.refuse:
            raise self.refuse
        self.version = version
        return 0.1, 1

    async def state(self, deadline: float = 1.0) -> EngineReport:
        return EngineReport(self.version, self.version, self.is_open, False, self.busy)

    async def prompt_logprobs(self, prompt: Any, deadline: float) -> list[float]:
        return [-1.0]


class World:
    """Folders with fingerprints, a document, and the heartbeats that were heard."""

    def __init__(self, folder: Path, *versions: str) -> None:
        self.folder, self.beats, self.document = folder, list[Heartbeat](), RoutingDocument()
        self.away = False
        self.reads = 0
        self.refused: dict[str, Exception] = {}
        self.unforeseen: list[Exception] = []
        for version in versions:
            (folder / version).mkdir()
            text = '{"probes": [{"prompt": [1, 2], "logprobs": [-1.0]}]}'
            (folder / version / "fingerprint.json").write_text(text)
            (folder / version / "config.json").write_text("{}")

    def want(self, version: str, stable: str = "other") -> None:
        self.document = RoutingDocument(slots={"student-b": SlotView(desired=version)}, stable=stable)

    def read(self) -> RoutingDocument | None:
        self.reads += 1
        if self.away:
            raise Unavailable("Redis is away")
        return self.document

    def report_slot(self, heartbeat: Heartbeat) -> None:
        if self.unforeseen:
            raise self.unforeseen.pop()
        self.beats.append(heartbeat)

    def verify(self, version: str) -> Any:
        if version in self.refused:
            raise self.refused[version]
        folder = self.folder / version
        return Manifest(version=version, kind="student", created=0.0, files=describe_files(folder))

    def path(self, version: str) -> Path:
        return self.folder / version


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, "v1", "v2", "v3")


@pytest.fixture
def alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every version is laid out so that it can be loaded in place."""
    monkeypatch.setattr("serving.engine.agent.reason_against", lambda running, wanted: None)


class Running:
    """An agent at work on a stub, ended at the end of the block."""

    def __init__(self, world: World, stub: Stub, config: EnginesConfig = FAST) -> None:
        runner: Any = stub
        versions: Any = world
        routing: Any = SimpleNamespace(documents=world, beats=world)
        self.agent = Agent("student-b", config, runner, versions, routing)

    async def __aenter__(self) -> Agent:
        self.task = asyncio.create_task(self.agent.run())
        return self.agent

    async def __aexit__(self, *_: object) -> None:
        self.agent.stop()
        await asyncio.wait_for(self.task, 60)


async def test_an_engine_that_cannot_start_is_tried_again_and_starts_once_it_can(world: World) -> None:
    stub = Stub({"v1"})
    world.want("v1")
    async with Running(world, stub) as agent:
        await eventually_async(lambda: len(stub.starts) > STARTS)
        assert agent.bad == {}
        stub.failing.clear()
        await eventually_async(lambda: agent.state is State.SERVING)
        assert (stub.version, stub.is_open) == ("v1", True)


async def test_its_beat_tells_the_control_tokens_of_what_it_serves(world: World) -> None:
    added = [{"content": "<|turn|>", "special": True}, {"content": "word", "special": False}]
    (world.folder / "v1" / "tokenizer.json").write_text(json.dumps({"added_tokens": added}))
    world.want("v1")
    async with Running(world, Stub(set())):
        await eventually_async(lambda: any(beat.ready for beat in world.beats))
    assert {beat.control_tokens for beat in world.beats if beat.ready} == {("<|turn|>",)}
    assert {beat.control_tokens for beat in world.beats if not beat.ready} <= {()}


async def test_a_version_that_never_starts_gives_way_to_the_last_good_one(world: World) -> None:
    stub = Stub({"v2"})
    world.want("v1")
    async with Running(world, stub) as agent:
        await eventually_async(lambda: agent.loaded == "v1")
        world.want("v2")
        await eventually_async(lambda: "v2" in agent.bad and agent.state is State.SERVING)
        assert (stub.version, stub.starts[1:]) == ("v1", ["v2"] * STARTS + ["v1"])


@pytest.mark.parametrize("error", [IntegrityError("model.safetensors is not what was signed"), OSError("disk")])
async def test_a_version_that_is_not_what_was_signed_never_closes_the_engine(world: World, error: Exception) -> None:
    stub = Stub()
    world.want("v1")
    async with Running(world, stub) as agent:
        await eventually_async(lambda: agent.state is State.SERVING)
        world.refused["v2"] = error
        world.want("v2")
        await eventually_async(lambda: "v2" in agent.bad)
        assert (stub.version, stub.is_open, stub.starts) == ("v1", True, ["v1"])
        await eventually_async(lambda: any("v2" in beat.bad and beat.ready for beat in world.beats))


async def test_without_documents_the_engine_serves_on(world: World) -> None:
    stub = Stub()
    world.want("v1")
    async with Running(world, stub) as agent:
        await eventually_async(lambda: agent.state is State.SERVING)
        world.away = True
        before = world.reads
        await eventually_async(lambda: world.reads > before + 2)
        assert (agent.state, stub.is_open) == (State.SERVING, True)
        stub.ill = "the engine process has ended"
        await eventually_async(lambda: len(stub.starts) == 2 and agent.state is State.SERVING)


@pytest.mark.usefixtures("alike")
async def test_a_refused_load_restarts_the_idle_engine_with_the_last_good_version(world: World) -> None:
    stub = Stub()
    world.want("v1")
    async with Running(world, stub) as agent:
        await eventually_async(lambda: agent.state is State.SERVING)
        stub.refuse = LoadRefused("lm_head.weight holds values that are no finite numbers", damaged=False)
        world.want("v3")
        await eventually_async(lambda: "v3" in agent.bad and agent.state is State.SERVING)
        assert (stub.version, stub.starts) == ("v1", ["v1", "v1"])


@pytest.mark.usefixtures("alike")
@pytest.mark.parametrize(("why", "starts"), [(None, ["v1"]), ("vLLM 9.1.0 is installed", ["v1", "v2"])])
async def test_an_unproven_vllm_changes_version_by_a_restart(
    world: World, monkeypatch: pytest.MonkeyPatch, why: str | None, starts: list[str]
) -> None:
    monkeypatch.setattr("serving.engine.compat.unproven", lambda: why)
    stub = Stub()
    world.want("v1")
    async with Running(world, stub) as agent:
        await eventually_async(lambda: agent.state is State.SERVING)
        world.want("v2")
        await eventually_async(lambda: agent.loaded == "v2" and agent.state is State.SERVING)
        assert stub.starts == starts


@pytest.mark.usefixtures("alike")
async def test_a_slot_in_use_is_opened_again_when_it_does_not_drain(world: World) -> None:
    stub = Stub()
    world.want("v1")
    async with Running(world, stub) as agent:
        await eventually_async(lambda: agent.state is State.SERVING)
        stub.busy = 1
        world.want("v2")
        await eventually_async(lambda: stub.drains > 1)
        assert stub.version == "v1"
        stub.busy = 0
        await eventually_async(lambda: agent.loaded == "v2" and agent.state is State.SERVING)
        assert stub.is_open


async def test_beats_go_on_after_an_error_that_nobody_foresaw(world: World) -> None:
    world.want("v1")
    world.unforeseen.append(ValueError("a second program answers"))
    async with Running(world, Stub()):
        await eventually_async(lambda: any(beat.ready for beat in world.beats), what="a beat")
    assert not world.unforeseen


async def test_heartbeats_name_a_version_only_while_it_is_served(world: World) -> None:
    stub = Stub({"v1"})
    world.want("v1")
    async with Running(world, stub) as agent:
        await eventually_async(lambda: len(world.beats) > 0)
        stub.failing.clear()
        await eventually_async(lambda: agent.state is State.SERVING and any(beat.ready for beat in world.beats))
    assert all((beat.version == "v1") == beat.ready for beat in world.beats)
    assert {beat.model for beat in world.beats} == {"student"}
