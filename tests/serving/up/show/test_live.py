"""What the routing document, the beats of slots and gateways and the rounds say, as figures."""

from __future__ import annotations

import io
import re
import time

import redis
from rich.console import Console

from deploy.life.config import GateConfig
from deploy.life.gate import decide
from deploy.life.slices import slice_changes
from deploy.rounds.store import FileRounds
from deploy.routing.document import EXTERNAL, GatewayBeat, RoutingDocument, SlotView
from feedback.store.keys import RedisKeys
from serving.up.show.changes import changes
from serving.up.show.figures import Figures, line
from serving.up.show.live import LiveFigures, with_document
from serving.up.show.view import render
from tests.deploy.fleet import Moving, World, beginning, beside, settled
from tests.deploy.life.judged import evaluation, learned, rows
from understudy.state import StateDir


def test_an_engine_of_others_is_shown_as_such_and_a_slot_without_work_is_no_trouble() -> None:
    given = SlotView(desired=EXTERNAL, version=EXTERNAL, ready=True)
    now = with_document(Figures(), RoutingDocument(slots={"teacher": given}), {}, [])
    assert [(slot.version, slot.ready) for slot in now.slots] == [(EXTERNAL, True), ("-", False), ("-", False)]
    assert now.lacking == []


def test_only_a_gateway_that_had_its_time_counts_as_behind() -> None:
    document = RoutingDocument(epoch=7, created=100.0)
    beats = [
        GatewayBeat(id="quick", epoch=7, at=109.0), GatewayBeat(id="asleep", epoch=5, at=109.0),
        GatewayBeat(id="about to", epoch=6, at=100.5),
    ]  # fmt: skip
    before, after = Figures(epoch=7), with_document(Figures(), document, {}, beats)
    assert after.behind == {"asleep": 5}
    assert list(changes(before, after)) == ["asleep stays at epoch 5 of 7"]
    assert list(changes(after, before)) == ["asleep follows again"]


def test_what_the_gate_saw_stays_when_its_round_is_over_and_a_round_says_when_it_ends(state_dir: StateDir) -> None:
    rounds = FileRounds(state_dir, lambda: time.time() - 30)
    figures = LiveFigures(state_dir, "http://127.0.0.1:1", "redis://127.0.0.1:1", "us:", dict, 45.0)
    rounds.begin("v1", "t1", "asked", budget=90.0)
    rounds.finish(1, "select", {})
    stage = figures.look().stage
    assert stage is not None
    assert stage.left is not None
    assert 90 - 30 < stage.left <= 90 - 30 + 45
    for name in ("score", "distil", "export"):
        rounds.finish(1, name, {})
    found = evaluation(*rows(120, lost=1), hard=learned(30))
    rounds.folder(1, "evaluate").joinpath("evaluation.json").write_text(found.model_dump_json())
    assert figures.look().slices == {}
    rounds.finish(1, "evaluate", {})
    rounds.finish(1, "register", {"version": "v2"})
    assert figures.look().slices == slice_changes(found)
    assert figures.look().gate == ""
    few = GateConfig(general_rows=120, hard_rows=30, on_few="go")
    rounds.finish(1, "gate", decide(found, few).summary())
    judged = figures.look()
    assert judged.gate_short == "gate passed: general exact 100→99 facts 100→99; new exact 0→73 facts 0→73 %"
    assert judged.few.startswith("judged on few: a loss below 5.5 points")
    (said,) = [event for event in judged.events if "gate passed: general exact" in event]
    assert "; general exact [-5,+2], facts [-5,+2]" in said
    assert said.endswith("`understudy rounds show 1` shows what was lost")
    rounds.fail(1, {"error": "aborted"})
    after = figures.look()
    assert (after.stage, after.gate_short, after.slices) == (None, judged.gate_short, judged.slices)
    rounds.begin("v1", "t1", "asked")
    anew = figures.look()
    assert (anew.gate, anew.slices, anew.few) == ("", {}, "")
    for name in ("select", "score", "distil", "export"):
        rounds.finish(2, name, {})
    later = evaluation(*rows(120, lost=9), hard=learned(30))
    rounds.folder(2, "evaluate").joinpath("evaluation.json").write_text(later.model_dump_json())
    rounds.finish(2, "evaluate", {})
    assert figures.look().slices == slice_changes(later) != slice_changes(found)


def test_what_a_round_drew_is_shown_once_it_is_drawn_and_is_an_event(state_dir: StateDir) -> None:
    rounds = FileRounds(state_dir)
    figures = LiveFigures(state_dir, "http://127.0.0.1:1", "redis://127.0.0.1:1", "us:", dict)
    rounds.begin("v1", "t1", "asked")
    assert figures.look().drawn_short == ""
    parts = {"train": {"hard_fresh": 250, "anchor_replay": 900}, "holdout": {"anchor_kept": 400}}
    rounds.finish(1, "select", {"drawn": parts, "left_out": {"near_held_out": 7}})
    now = figures.look()
    assert now.drawn_short == "drawn 900 replay 250 fresh; held out 400 general"
    told = "round 1 drew: trained on 900 anchor replay, 250 hard fresh; judged on 400 anchor kept; left out 7 near held"
    assert [told in event for event in figures.look().events].count(True) == 1


def test_what_was_said_against_the_live_version_is_shown_without_redis_and_after_a_restart(state_dir: StateDir) -> None:
    world = settled(state_dir)
    version = world.candidate(general=-0.2)
    world.turn()
    with Moving(world):
        world.conductor.acts.perform("promote", version, "test")
    for _ in range(2):  # the second is a view that saw nothing of it
        now = LiveFigures(world.state, "http://127.0.0.1:1", "redis://127.0.0.1:1", "us:", dict).look()
        assert now.caveats[0].startswith("promoted by hand, refused by the gate: general prompts")
        assert any(f"{version}: promoted by hand, refused by the gate" in event for event in now.events)
        assert f"live {version} (promoted by hand, refused by the gate:" in line(now)
    with Moving(world):
        world.conductor.acts.perform("rollback", "v1", "test")
    assert LiveFigures(world.state, "http://127.0.0.1:1", "redis://127.0.0.1:1", "us:", dict).look().caveats == ()


def test_a_rollback_that_made_live_similarity_fall_is_said_in_the_picture_and_once_as_an_event(
    state_dir: StateDir, redis_url: str
) -> None:
    world = settled(state_dir)
    with Moving(world):
        world.conductor.acts.perform("rollback", "v1", "test")
    figures = LiveFigures(world.state, "http://127.0.0.1:1", redis_url, "us:", dict)
    assert figures.look().fell == ""
    client = redis.Redis.from_url(redis_url)
    for version, mean in (("v2", 0.46), ("v1", 0.16)):
        client.hset(
            f"{RedisKeys('us:').kpis}version:{version}",
            mapping={"similarity:n": 100, "similarity:s": 100 * mean, "similarity:q": 100 * (mean**2 + 0.01)},
        )
    now = figures.look()
    said = "the rollback from v2 made live similarity fall: 0.46 (100 pairs) -> 0.16 (100 pairs)"
    assert now.fell.startswith(said)
    assert said in line(now)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(render(now, "gateway"))
    assert "rollback: similarity 0.46 -> 0.16" in console.export_text()
    assert len([event for event in figures.look().events if said in event]) == 1
    client.delete(f"{RedisKeys('us:').kpis}version:v1")
    assert figures.look().fell == ""


def test_what_stands_beside_a_version_stands_in_the_picture_and_on_the_line(state_dir: StateDir) -> None:
    beside(state_dir, "t1", "dequantised from Q4_1", "teacher")
    world = World(state_dir)
    world.turn()
    now = LiveFigures(state_dir, "http://127.0.0.1:1", "redis://127.0.0.1:1", "us:", dict).look()
    assert now.notes == {"t1": "dequantised from Q4_1"}
    assert "t1: dequantised from Q4_1" in line(now)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(render(now, "gateway"))
    assert "versions: t1 dequantised from Q4_1" in console.export_text()


def test_an_unfit_student_is_shown_with_how_far_it_is(state_dir: StateDir) -> None:
    world = beginning(state_dir)
    figures = LiveFigures(state_dir, "http://127.0.0.1:1", "redis://127.0.0.1:1", "us:", dict)
    begun = figures.look()
    assert (begun.stable, begun.unfit, begun.fitness) == ("-", "v1", "")
    assert any("v1 learns and answers nobody" in event for event in begun.events)
    world.learned("v1", 0.02, 0.3)
    world.turn()
    now = figures.look()
    assert (now.unfit, now.fitness) == ("v2", "31% of tokens, 0% facts, round 1")
    assert "unfit v2 31% of tokens, 0% facts, round 1" in line(now)
    assert [f"{share:.2f}" for share in now.way] == ["0.31"]
    assert any("v2: " in event and "more round" in event for event in now.events)
    assert re.fullmatch(r"\d+\+ rounds, about \d+ (s|min|h)", now.least)
    shown = io.StringIO()
    Console(file=shown, width=160).print(render(now, "gateway"))
    assert now.least in shown.getvalue()


def test_rounds_that_make_an_unfit_student_no_better_are_shown_too(state_dir: StateDir) -> None:
    world = beginning(state_dir)
    figures = LiveFigures(state_dir, "http://127.0.0.1:1", "redis://127.0.0.1:1", "us:", dict)
    world.learned("v1", 0.02, 0.3)
    world.turn()
    assert "no better" not in figures.look().missing
    for _ in range(3):
        world.learned("v2", 0.31, 0.2)
        world.turn()
    now = figures.look()
    assert (now.unfit, now.least) == ("v2", "")
    assert "the last 3 rounds made it no better" in now.missing
    assert now.missing in now.events[-1]
