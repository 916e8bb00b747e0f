"""Whatever happens in whatever order, the routing document stays sound."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.audit.log_file import FileAuditLog
from deploy.routing.document import STUDENT_SLOTS, RoutingDocument
from tests.deploy.fleet import World
from understudy.errors import UnderstudyError
from understudy.state import StateDir

EVENTS = (
    "tick", "tick", "tick", "round", "weak round", "good", "harm", "later", "crash", "rollback", "promote", "freeze",
    "resume", "refuse candidate", "refuse stable", "corrupt", "slow", "quick", "no kpis",
)  # fmt: skip


def happen(world: World, event: str) -> None:
    """Let one thing happen; what an operator is refused changes nothing."""
    state = world.conductor.deployment.state
    candidate, stable = state.canary.version if state.canary else None, state.stable
    versions = [m.version for m in world.conductor.deployment.registry.versions()]
    if event in ("round", "weak round") and world.conductor.deployment.rounds.current() is None and len(versions) < 7:
        world.candidate(better=0.3 if event == "round" else -0.3)
    elif event in ("good", "harm") and candidate:
        world.evidence(str(stable), 500)
        world.evidence(candidate, 200, abnormal_termination=0.5 if event == "harm" else 0.0)
    elif event == "later":
        world.time.at += 400
    elif event == "crash":
        world.start()
    elif event in ("freeze", "resume"):
        world.conductor.acts.change(**{event: "promotion"}, actor="test")  # type: ignore[arg-type]
    elif event in ("rollback", "promote"):
        target = versions[0] if event == "promote" else None
        try:
            world.conductor.operations.begin("promote" if target else "rollback", target, "test")
        except UnderstudyError:
            return
    elif event == "refuse candidate" and candidate:
        world.fleet.refuse[candidate] = "wrong weights"
    elif event == "refuse stable" and stable and len(state.previous) > 1:
        world.fleet.refuse[stable] = "wrong weights"
    elif event == "corrupt" and candidate:
        (world.conductor.deployment.registry.path(candidate) / "tokenizer.json").write_text("x")
    elif event == "slow":
        world.fleet.slow.update(versions[:1])
    elif event == "quick":
        world.fleet.slow.clear()
    elif event == "no kpis":
        world.known.away = not world.known.away


def check_sound(world: World, before: RoutingDocument, now: RoutingDocument) -> None:
    state = world.conductor.deployment.state
    assert now.epoch >= before.epoch
    if now.epoch == before.epoch:
        assert now == before
    assert now.stable is not None
    assert len(set(now.previous)) == len(now.previous) <= 3
    assert now.stable not in now.previous
    assert [now.slots[s].desired for s in STUDENT_SLOTS].count(now.stable) == 1
    assert (now.candidate_share > 0) <= (now.candidate is not None)
    if now.candidate is not None:
        assert state.record(now.candidate).state in ("loading", "canary")
        assert now.candidate not in state.bad
    assert state.record(now.stable).state in ("live", "bad")
    assert not set(now.previous) & set(state.bad)


@settings(
    max_examples=200 if os.environ.get("UNDERSTUDY_FULL") else 12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
@given(st.lists(st.sampled_from(EVENTS), min_size=5, max_size=40))
def test_the_document_stays_sound(events: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(StateDir(Path(folder)))
        before = world.turn()
        for event in events:
            happen(world, event)
            now = world.turn(2)
            check_sound(world, before, now)
            before = now
        assert FileAuditLog(world.state.audit).verify().entries > 0
