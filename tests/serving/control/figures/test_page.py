"""The control plane's figures: from `status`, the rounds and the disk, for whoever may read them."""

from __future__ import annotations

import json
import math

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from deploy.life.config import GateConfig
from deploy.life.gate import decide
from deploy.rounds.table import STAGES
from serving.control.app import create_app
from serving.control.sources import Sources
from tests.deploy.fleet import World
from tests.deploy.life.judged import REWORDED, evaluation, rows
from tests.deploy.life.judged import asked as prompts_asked
from tests.packaging.scraping import PACKAGING, promtool_says, without
from tests.serving.control.conftest import TOKEN
from understudy.files import read_json, write_json
from understudy.telemetry.door import MetricsDoor

Page = dict[tuple[str, ...], float]


def page(text: str) -> Page:
    samples = (one for family in text_string_to_metric_families(text) for one in family.samples)
    return {(one.name, *(value for _, value in sorted(one.labels.items()))): one.value for one in samples}


def asked(world: World, sources: Sources, **headers: str) -> Page:
    app = create_app(world.conductor, sources, TOKEN)
    with TestClient(app, "http://t", client=("127.0.0.1", 5)) as client:
        answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return page(answer.text)


def test_the_whole_system_is_on_one_page(world: World, sources: Sources) -> None:
    found = asked(world, sources)
    state = world.conductor.deployment.state
    assert found["understudy_live_version_info", "teacher", state.teacher] == 1
    assert found["understudy_live_version_info", "student", str(state.stable)] == 1
    assert {key[1]: value for key, value in found.items() if key[0] == "understudy_slot_ready"}
    assert found["understudy_pool_samples", "hard"] == found["understudy_bus_lost_total",] == 0
    assert found["understudy_rounds_ended_total", "failed"] == 0
    assert found["understudy_frozen", "promotion"] == 0
    assert 0 < found["understudy_state_free_bytes",] < found["understudy_state_volume_bytes",]
    assert found["understudy_rollback_similarity_drop_ratio",] == 0
    assert found["understudy_unread_metrics",] == 0


def test_every_metric_of_the_table_is_on_the_page_and_promtool_has_nothing_to_say(
    world: World, sources: Sources
) -> None:
    with TestClient(create_app(world.conductor, sources, TOKEN), "http://t", client=("127.0.0.1", 5)) as client:
        shown = client.get("/metrics").text
    assert without(shown, "Every role", "Controller: the whole system") == set()
    assert promtool_says(shown) == ""


def test_rounds_are_told_by_their_ends_and_the_one_under_way_by_its_stage(world: World, sources: Sources) -> None:
    rounds = world.conductor.deployment.rounds
    parent = str(world.conductor.deployment.state.stable)
    failed = rounds.begin(parent, "t1", "a test")
    rounds.fail(failed.id, {"error": "a test"})
    under_way = rounds.begin(parent, "t1", "a test")
    rounds.progress(under_way.id, "select", 1, 4)
    found = asked(world, sources)
    assert found["understudy_rounds_ended_total", "failed"] == 1
    assert found["understudy_round_stage", "select"] == 1
    assert found["understudy_round_stage", "distil"] == 0
    assert found["understudy_round_stage_progress_ratio",] == 0.25


def shown() -> list[list[str]]:
    """What each panel of the board asks for."""
    panels = json.loads((PACKAGING / "grafana" / "understudy.json").read_text("utf-8"))["panels"]
    return [[target["expr"] for target in panel.get("targets", ())] for panel in panels]


def test_what_the_last_gate_saw_complied_with_is_told(world: World, sources: Sources) -> None:
    assert math.isnan(asked(world, sources)["understudy_gate_complied_prompts", "parent"])
    world.candidate()
    path = world.state.rounds / "1" / "evaluate" / "evaluation.json"
    write_json(path, {**read_json(path), "safety": prompts_asked(20).model_dump(mode="json")})
    world.turn()
    found = asked(world, sources)
    assert found["understudy_gate_complied_prompts", "parent"] == 0
    assert found["understudy_gate_complied_prompts", "candidate"] == 20
    assert ["understudy_gate_complied_prompts"] in shown()


def test_what_the_gate_judged_is_told_by_exact_replies_facts_and_agreement(world: World, sources: Sources) -> None:
    names = [f"understudy_gate_{figure}_ratio" for figure in ("exact", "facts", "agreement")]
    before = asked(world, sources)
    assert all(math.isnan(before[name, "candidate", "general"]) for name in names)
    rounds = world.conductor.deployment.rounds
    parent = str(world.conductor.deployment.state.stable)
    under_way = rounds.begin(parent, "t1", "a test")
    for stage in STAGES[: STAGES.index("gate")]:
        rounds.finish(under_way.id, stage, {"version": "v9"})
    rounds.finish(under_way.id, "gate", decide(evaluation(*rows(120, lost=6, after=REWORDED)), GateConfig()).summary())
    found = asked(world, sources)
    assert [found[name, "parent", "general"] for name in names] == [1, 1, 1]
    exact, facts, agreement = (found[name, "candidate", "general"] for name in names)
    assert (exact, facts) == (0.95, 1)
    assert agreement == pytest.approx(1 - 0.05 * 0.05)
    assert [found[name, "candidate", "hard"] for name in names] == [0.75, 0.75, 0.875]
    (panel,) = [found for found in shown() if names[2] in found]
    assert set(panel) == set(names), "agreement hides a wrong fact, so no panel shows it alone"


def test_without_redis_the_rest_is_told(world: World, sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_client", None)
    found = asked(world, sources)
    assert ("understudy_pool_samples", "hard") not in found
    assert found["understudy_unread_metrics",] >= 2
    assert found["understudy_rounds_ended_total", "failed"] == 0


def test_figures_are_for_this_machine_and_for_the_two_tokens(world: World, sources: Sources) -> None:
    app = create_app(world.conductor, sources, TOKEN, MetricsDoor(lambda: "of-metrics"))
    with TestClient(app, "http://t", client=("192.0.2.9", 5)) as client:
        assert client.get("/metrics").status_code == 401
        for token, status in ((TOKEN, 200), ("of-metrics", 200), ("wrong", 401)):
            assert client.get("/metrics", headers={"authorization": f"Bearer {token}"}).status_code == status
        headers = {"authorization": "Bearer of-metrics"}
        assert client.get("/admin/v1/status", headers=headers).status_code == 401, "it opens nothing else"
