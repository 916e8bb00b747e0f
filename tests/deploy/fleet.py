"""Slots and gateways of a system without engines: they obey the routing document as agents and gateways do."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ab.summary import Stat
from deploy.audit.log_file import FileAuditLog
from deploy.control.conductor import Conductor
from deploy.life.config import GateConfig, RolloutConfig, RolloutStep
from deploy.life.deployment import Deployment
from deploy.life.document import Settings
from deploy.registry.manifest import Kind
from deploy.registry.store import Registry
from deploy.rounds.store import FileRounds
from deploy.routing.document import SLOTS, Heartbeat, RouterConfig, RoutingDocument
from deploy.routing.stores import open_routing
from feedback.kpis.config import KpisConfig
from feedback.kpis.figures import product
from feedback.kpis.names import NEW, OLD
from feedback.kpis.trials import Phases, judged
from understudy.clock import Clock, boottime, monotonic, wall
from understudy.files import write_json
from understudy.state import StateDir

STEP = RolloutStep(share=0.25, min_exposures=50, max_wait_seconds=60, on_timeout="promote")


class Time:
    """A wall clock that moves when told to."""

    def __init__(self, at: float = 1_800_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


class Fleet:
    """Three slots and one gateway. `refuse` maps a version to why no slot loads it, `slow` never load."""

    def __init__(
        self, state: StateDir, redis_url: str | None = None, clock: Clock = wall, passed: Clock = boottime
    ) -> None:
        self.routing = open_routing(state, redis_url, clock=clock, passed=passed)
        self.refuse: dict[str, str] = {}
        self.slow: set[str] = set()
        self.gateway_epoch = -1
        self.follows = True
        self._bad: dict[str, str] = {}
        self._loaded: dict[str, str | None] = dict.fromkeys(SLOTS)

    def obey(self) -> RoutingDocument | None:
        """One round of heartbeats after doing what the document wants."""
        document = self.routing.documents.read()
        for slot in SLOTS:
            view = document.slots.get(slot) if document is not None else None
            wanted = None if view is None else view.desired
            if wanted in self.refuse:
                self._bad[str(wanted)] = self.refuse[str(wanted)]
            elif wanted is not None and wanted not in self.slow:
                self._loaded[slot] = wanted
            version = self._loaded[slot]
            self.routing.beats.report_slot(
                Heartbeat(
                    slot=slot, url=f"http://127.0.0.1:1/{slot}", model="m", state="serving", version=version,
                    ready=version is not None, bad=self._bad, control_tokens=("<|im_start|>",),
                )
            )  # fmt: skip
        if self.follows and document is not None:
            self.gateway_epoch = document.epoch
        self.routing.beats.report_gateway("g1", self.gateway_epoch, "http://127.0.0.1:2")
        return document


class FakeEvidence:
    """Figures of a canary that a test sets; `away`: they cannot be had."""

    def __init__(self) -> None:
        self.trials: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
        self.timings: dict[str, float] = {}
        self.away = False

    def trial(self, candidate: str) -> Phases | None:
        return None if self.away else self.trials.get(candidate, {})

    def p99(self, version: str, of: str = "latency") -> float | None:
        return self.timings.get(version if of == "latency" else f"{version}:{of}")

    def count(
        self, candidate: str, phase: str, side: str, users: int, bad: Mapping[str, float], pairs: int = 2
    ) -> None:
        """The sums of users who are alike but for the share `bad` of them, see `World.evidence`."""
        sums: dict[str, float] = {"users": users}
        below = {"requests": 1, "timed": 1} | ({"pairs": pairs} if pairs else {})
        sums |= {cell: each * users for cell, each in below.items()}
        sums |= {f"{cell}#": users for cell in below}
        sums |= {product(cell, cell): each * each * users for cell, each in below.items()}
        for name, ratio in judged(KpisConfig()).items():
            if ratio.below not in below or name == "session_turns":
                continue
            each, share = below[ratio.below], bad.get(name, 0.0)
            share = 1 - share if name in ("exact", "facts", "similarity") else share
            number = round(users * share)
            sums |= {
                ratio.above: each * number, f"{ratio.above}#": number, ratio.missed: users - number,
                product(ratio.above, ratio.above): each * each * number,
                product(ratio.above, str(ratio.below)): each * each * number,
            }  # fmt: skip
        self.trials.setdefault(candidate, {}).setdefault(phase, {})[side] = sums


class World:
    """A state directory with students (v1 and v2), a conductor, a fleet, a clock and KPIs that a test sets."""

    def __init__(
        self, state: StateDir, steps: tuple[RolloutStep, ...] = (STEP,), students: tuple[str, ...] = ("v1", "v2"),
        **rollout: Any,
    ) -> None:  # fmt: skip
        self.state = state
        self.time = Time()
        self._set = self.time.at
        self.kpis: dict[str, dict[str, Stat]] | None = {}
        self.known = FakeEvidence()
        self.rollout = RolloutConfig(steps=steps, **rollout)
        self.router = RouterConfig()
        for version in students:
            register(state, version)
            self.time.at += 1
        self.fleet = Fleet(state, clock=self.time, passed=self.passed)
        self.conductor = self.start()

    def start(self, elapsed: Clock = monotonic) -> Conductor:
        """A new controller on the same state, as after kill -9; `elapsed` is its clock for deadlines."""
        settings = Settings(router=self.router, rollout=self.rollout)
        deployment = Deployment(self.state, settings, lambda: self.kpis, self.time, self.passed, self.known)
        routing = open_routing(self.state, None, clock=self.time, passed=self.passed)
        gate = GateConfig(general_rows=5, hard_rows=5, fit_rows=30)
        self.conductor = Conductor(deployment, routing, gate, elapsed)
        return self.conductor

    def passed(self) -> float:
        """Time that passed; it goes on as the clock does, but for what `jump` sets."""
        return self.time.at - self._set

    def jump(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self.time.at += seconds
        self._set += seconds

    def turn(self, ticks: int = 3) -> RoutingDocument:
        """Let controller and fleet take turns."""
        for _ in range(ticks):
            self.conductor.tick()
            self.fleet.obey()
            self.time.at += 0.2
        self.conductor.tick()
        document = self.conductor.document
        assert document is not None
        return document

    def candidate(self, better: float = 0.3, general: float = 0.0, finite: bool = True) -> str:
        """A round that has come to its gate with a new version, as the trainer leaves it."""
        return round_at_gate(self.state, better, general, finite)

    def learned(self, parent: str, before: float, after: float) -> str:
        """A round of an unfit parent that has come to its gate: agreement of both on held-out general prompts."""
        pairs = [{"id": f"g{i}", "parent": before, "candidate": min(1.0, after + 0.01 * (i % 3))} for i in range(40)]
        return _round_at_gate(self.state, parent, {"hard": [], "general": pairs, "candidate_finite": True})

    def evidence(self, version: str, users: int, **bad: float) -> None:
        """What the workers counted in this step of the canary: users of one version, each with a request and two pairs.

        `bad`: by KPI the share of users who always have the worse outcome. Without a canary nobody counts, and of
        users whom the teacher answered since there was no student there are no pairs.
        """
        state = self.conductor.deployment.state
        canary = state.canary
        if canary is not None and canary.step >= 0:
            side = NEW if version == canary.version else OLD
            pairs = 0 if side == OLD and state.stable is None else 2
            self.known.count(canary.version, str(canary.step), side, users, bad, pairs)

    def single(self, version: str, n: int, similarity: float) -> None:
        """What the workers counted of a version's pairs, whenever."""
        assert self.kpis is not None
        self.kpis[version] = {"similarity": Stat(n, similarity, 0.01)}


def settled(state: StateDir) -> World:
    """A world of v1 and v2 whose controller and fleet have settled."""
    world = World(state)
    world.turn()
    return world


def beginning(state: StateDir) -> World:
    """A teacher and a cut of it, which only learns; settled."""
    teacher(state)
    world = World(state, students=())
    cut(state)
    world.turn()
    return world


class Moving:
    """Keeps controller and fleet going in a thread while a test waits for an answer."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        while not self._end.is_set():
            self._world.turn(1)
            time.sleep(0.01)

    def __enter__(self) -> Moving:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(60)


def actions(world: World) -> list[str]:
    return [entry["action"] for entry in FileAuditLog(world.state.audit).entries()]


def to_canary(world: World, version: str) -> None:
    """From the gate to the first step."""
    document = world.turn(5)
    assert (document.candidate, document.candidate_share) == (version, 0.25)


def to_live(world: World, version: str, *beside: str) -> None:
    """From the gate to live, by evidence of it and of those that it is compared with."""
    to_canary(world, version)
    for one in (*beside, version):
        world.evidence(one, 60)
    assert world.turn(5).stable == version


def model_folder(folder: Path, content: str) -> Path:
    """A folder that looks like a model; what it holds differs by `content`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(content.encode() * 400)
    (folder / "tokenizer.json").write_text(json.dumps({"词表": content}, ensure_ascii=False), "utf-8")
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    (folder / "fingerprint.json").write_text("{}")
    return folder


def register(state: StateDir, content: str, round_number: int | None = None) -> str:
    """Register a made-up student; returns its version."""
    folder = model_folder(state.root / "made" / content, content)
    manifest = Registry(state).register(
        folder, kind="student", parent=None, teacher="t1", round=round_number, lineage={"说明": content}, metrics={}
    )
    return manifest.version


def teacher(state: StateDir, content: str = "t1") -> str:
    """Register a made-up teacher; returns its version."""
    folder = model_folder(state.root / "made" / content, content)
    registry = Registry(state)
    return registry.register(
        folder, kind="teacher", parent=None, teacher=None, round=None, lineage={}, metrics={}
    ).version


def beside(state: StateDir, content: str, note: str, kind: Kind = "student") -> str:
    """Register a made-up import beside whose figures `note` must stand; returns its version."""
    folder = model_folder(state.root / "made" / content, content)
    registry = Registry(state)
    return registry.register(
        folder, kind=kind, parent=None, teacher=None, round=None, lineage={"note": note}, metrics={}
    ).version


def cut(state: StateDir, content: str = "cut") -> str:
    """Register a student that has learned nothing yet; returns its version."""
    folder = model_folder(state.root / "made" / content, content)
    lineage = {"origin": "cut", "fitness": "unfit", "note": f"unfit: {content}"}
    registry = Registry(state)
    return registry.register(
        folder, kind="student", parent="t1", teacher="t1", round=None, lineage=lineage, metrics={}
    ).version


def round_at_gate(state: StateDir, better: float, general: float, finite: bool) -> str:
    """Stages select to register, with an evaluation whose differences are as given."""
    pairs = [{"id": str(i), "parent": 0.5, "candidate": 0.5 + better + 0.01 * (i % 3)} for i in range(30)]
    same = [{"id": f"g{i}", "parent": 1.0, "candidate": 1.0 + general} for i in range(30)]
    return _round_at_gate(state, "v2", {"candidate_finite": finite, "hard": pairs, "general": same})


def _round_at_gate(state: StateDir, parent: str, judged: dict[str, Any]) -> str:
    rounds = FileRounds(state)
    begun = rounds.begin(parent, "t1", "演示：漂移")
    evaluation = {"schema_version": 1, "summary": {}, **judged}
    write_json(rounds.folder(begun.id, "evaluate") / "evaluation.json", evaluation)
    for stage in ("select", "score", "distil", "export", "evaluate"):
        rounds.finish(begun.id, stage, {})
    version = register(state, f"round-{begun.id}", begun.id)
    rounds.finish(begun.id, "register", {"version": version})
    return version
