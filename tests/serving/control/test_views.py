"""What the pages say of a round that waits."""

from __future__ import annotations

from dataclasses import replace

from fastapi.testclient import TestClient

from deploy.engines.findings import TeacherChange, TeacherFindings, write_findings
from deploy.engines.knowledge import Knowledge, write_knowledge
from deploy.rounds.store import FileRounds
from deploy.routing.document import EXTERNAL, SlotView
from feedback.store.config import RedisConfig
from serving.control import printing
from serving.control.pages.round import round_page
from serving.control.replies.rounds import RoundReport
from serving.control.replies.status import StatusReply
from serving.control.sources import Sources
from tests.deploy.fleet import Moving, World, cut, teacher, to_canary
from tests.serving.control.conftest import client
from tests.waiting import within_a_day
from understudy.config import Config
from understudy.state import StateDir


def test_status_says_what_a_round_waits_for(admin: TestClient, world: World) -> None:
    to_canary(world, world.candidate())
    assert admin.get("/status").json()["round"]["waits"] is None
    admin.post("/freeze", json={"what": "promotion"})
    assert "understudy resume promotion" in admin.get("/status").json()["round"]["waits"]


def test_who_asks_for_a_round_hears_what_it_waits_for(admin: TestClient, world: World) -> None:
    assert admin.post("/rounds").json()["waits"] is None
    admin.post("/freeze", json={"what": "learning"})
    assert "learning is frozen" in admin.post("/rounds").json()["waits"]
    admin.post("/resume", json={"what": "learning"})
    world.candidate()
    assert "round 1 is at gate" in admin.post("/rounds").json()["waits"]


def test_status_and_versions_say_what_is_not_known_of_a_student(admin: TestClient, world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    world.evidence(version, 50)
    world.turn()
    assert admin.get("/status").json()["live"]["student"] == version
    for told in (admin.get("/status").json()["live"], admin.get("/versions").json()["versions"][0]):
        assert told["caveats"][0].startswith("judged on few: a loss below")
        assert "shadow pairs of the canary" in told["caveats"][1]


def test_a_rollback_that_makes_live_similarity_fall_is_said_beside_the_live_version(
    admin: TestClient, world: World
) -> None:
    with Moving(world):
        assert admin.post("/rollback", json={"version": "v1"}).status_code == 200
    assert admin.get("/status").json()["live"]["caveats"] == []
    world.single("v2", 100, 0.46)
    world.single("v1", 100, 0.16)
    (said,) = admin.get("/status").json()["live"]["caveats"]
    assert said.startswith("the rollback from v2 made live similarity fall: 0.46 (100 pairs) -> 0.16 (100 pairs)")
    world.single("v1", 100, 0.5)
    assert admin.get("/status").json()["live"]["caveats"] == []


def test_learning_by_text_alone_is_said_of_now_and_of_each_round(admin: TestClient, world: World) -> None:
    assert "by" not in admin.get("/status").json()["learning"]
    teacher = world.conductor.deployment.state.teacher
    write_knowledge(world.state, Knowledge(teacher=teacher, student="v1", level="text", why="two tokenizers"))
    told = StatusReply.model_validate(admin.get("/status").json())
    assert (told.learning.possible, told.learning.by, told.learning.not_more) == (True, "text", "two tokenizers")
    assert "learns  by the teacher's text alone: two tokenizers" in printing.status(told)
    rounds = FileRounds(world.state, world.time)
    rounds.begin("v2", "t1", "why")
    rounds.finish(1, "select", {})
    rounds.finish(1, "score", {"learned_by": "text", "not_more": "two tokenizers"})
    page = round_page(RoundReport.model_validate(admin.get("/rounds/1").json()))
    assert "learned by the teacher's text alone: two tokenizers" in page
    write_knowledge(world.state, Knowledge(teacher="t0", student="v1", level="text", why="a former teacher's"))
    assert "by" not in admin.get("/status").json()["learning"]


def test_a_teacher_of_somebody_else_is_shown_with_what_it_answers_otherwise(admin: TestClient, world: World) -> None:
    assert "teacher" not in admin.get("/status").json() or admin.get("/status").json()["teacher"] is None
    deployment = world.conductor.deployment
    slot = SlotView(desired=EXTERNAL, version=EXTERNAL, ready=True, url="http://h/v1", model="big")
    deployment.settings = replace(deployment.settings, teacher=slot)
    told = StatusReply.model_validate(admin.get("/status").json())
    assert "was not asked yet what it gives" in printing.status(told)
    now = deployment.clock()
    change = TeacherChange(at=now, what=("the model's own name is big-2, was big-1",), replaced=True)
    found = TeacherFindings(url="http://h/v1", model="big", asked=now, served="big-2", changes=(change,), error="429")
    write_findings(world.state, found)
    told = StatusReply.model_validate(admin.get("/status").json())
    assert told.teacher is not None
    assert (told.teacher.gives, told.teacher.changes[0].replaced) == ("text", True)
    text = printing.status(told)
    assert "teacher (big-2) gives text; asked in vain: 429" in text
    assert "WARNING the teacher answers otherwise since" in text
    write_findings(world.state, found.model_copy(update={"model": "another"}))
    told = StatusReply.model_validate(admin.get("/status").json())
    assert told.teacher is not None
    assert (told.teacher.gives, told.teacher.changes) == (None, [])


def test_at_the_cap_of_the_day_status_says_that_learning_stops_and_serving_goes_on(
    world: World, redis_url: str, state_dir: StateDir
) -> None:
    deployment = world.conductor.deployment
    slot = SlotView(desired=EXTERNAL, version=EXTERNAL, ready=True, url="http://h/v1", model="big")
    deployment.settings = replace(deployment.settings, teacher=slot)
    teacher = {"url": "http://h/v1", "model": "big", "daily_tokens": 100}
    sources = Sources(Config({"engines": {"teacher": teacher}}), RedisConfig(url=redis_url), state_dir)
    within_a_day(5)
    with client(world, sources) as admin:
        sources.spending().add("shadow", 99)
        told = StatusReply.model_validate(admin.get("/status").json())
        assert (told.learning.possible, "reached" in printing.status(told)) == (True, False)
        sources.spending().add("primary", 1)
        told = StatusReply.model_validate(admin.get("/status").json())
    assert not told.learning.possible
    assert "the 100 tokens of today (UTC)" in told.learning.why
    assert "serving goes on" in told.learning.why
    text = printing.status(told)
    assert "tokens  100 of 100 today (UTC): answers 1, copies 99, scoring 0, probes 0" in text
    assert "the cap is reached" in text
    assert "learns  no: the 100 tokens" in text


def test_status_tells_the_way_of_an_unfit_student(state_dir: StateDir, sources: Sources) -> None:
    teacher(state_dir)
    world = World(state_dir, students=())
    world.turn()
    with client(world, sources) as admin:
        assert "there is no student yet" in admin.get("/status").json()["learning"]["why"]
        cut(state_dir)
        world.turn()
        world.learned("v1", 0.02, 0.3)
        world.turn()
        status = admin.get("/status").json()
        assert status["live"]["student"] is None
        assert status["learning"]["possible"]
        unfit = status["unfit"]
        assert (unfit["version"], unfit["note"], unfit["wanted"]) == ("v2", "unfit: cut", 0.85)
        assert [(one["round"], one["version"], round(one["agreement"], 2)) for one in unfit["way"]] == [(1, "v2", 0.31)]
        assert unfit["rounds"] > 1
        rounds = admin.get("/rounds").json()["rounds"]
        assert rounds[0]["gate"].startswith("gate learned, not fit yet")
        assert "not fit yet" in rounds[0]["ended"]
        assert admin.post("/promote", json={"version": "v2"}).status_code == 409
        with Moving(world):
            assert admin.post("/promote", json={"version": "v2", "force": True}).json()["to"] == "v2"
        assert "unfit" not in admin.get("/status").json() or admin.get("/status").json()["unfit"] is None


def test_status_shows_what_guardrails_say_of_a_canary_and_between_what_bounds(admin: TestClient, world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    assert admin.get("/status").json()["rollout"]["guardrails"] == {}
    world.evidence(version, 30, exact=0.3)
    world.evidence("v2", 200, exact=0.2)
    rollout = admin.get("/status").json()["rollout"]
    assert (rollout["exposures"], len(rollout["guardrails"])) == (30, 8)
    exact = rollout["guardrails"]["exact"]
    assert (exact["users"], exact["limit"], exact["verdict"]) == ([200, 30], "max_decrease 0", "too few")
    assert exact["lower"] < exact["worse"] < exact["upper"]
    text = printing.status(StatusReply.model_validate(admin.get("/status").json()))
    assert f"rollout {version}: step 1, 30 requests" in text
    line = next(line for line in text.splitlines() if line.startswith("exact"))
    assert line.split()[:4] == ["exact", "0.800", "0.700", "200/30"]
