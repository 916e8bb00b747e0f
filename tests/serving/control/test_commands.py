"""The commands of an operator against the real routes: what they print, and what they ask for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import redis

from deploy.rounds.store import FileRounds
from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.bus.protocol import Numbered
from feedback.events import EXCHANGES
from feedback.letters import letters
from feedback.store.config import RedisConfig
from feedback.store.keys import RedisKeys
from serving.control import commands
from serving.control.app import create_app
from serving.control.client import URL_ENV, Refused
from serving.control.pages import experiment as experiment_pages
from serving.control.replies.experiments import PlanReply
from serving.control.sources import Sources
from serving.control.token import ENV
from tests.deploy.fleet import Moving, World, beginning, beside, to_canary
from tests.serving.control.conftest import TOKEN, Said, saying
from tests.serving.up.server import served
from understudy.errors import NotFound, UsageError
from understudy.state import StateDir


@pytest.fixture
def said(reached: str, capsys: pytest.CaptureFixture[str]) -> Said:
    return saying(commands, capsys)


def test_every_page_is_printed_as_text_and_as_json(said: Said) -> None:
    for words in (["status"], ["versions"], ["kpis"], ["pool", "show"], ["rounds", "list"], ["experiment", "list"]):
        assert said(*words)
        assert isinstance(json.loads(said(*words, "--json")), dict)


def test_dead_letters_are_listed_shown_and_put_back(said: Said, redis_url: str) -> None:
    assert said("dead", "list", "exchanges") == "understudy.exchanges has no dead letters"
    bus = open_bus(BusConfig(url=redis_url), RedisConfig())
    made = letters(EXCHANGES, "会话", "你好".encode(), "Redis refused it", spool="gateway", number=1)
    bus.publish(f"{EXCHANGES}.dlt", 0, "spool", [Numbered(1, "会话", made[0])])
    assert "Redis refused it" in said("dead", "list", "exchanges")
    identity = json.loads(said("dead", "list", "exchanges", "--json"))["letters"][0]["id"]
    assert json.loads(said("dead", "show", "exchanges", identity[:8]))["text"] == "你好"
    assert said("dead", "replay", "exchanges") == "put 1 letters back into understudy.exchanges"
    assert "had been put back before" in said("dead", "replay", "exchanges", identity)
    with pytest.raises(UsageError, match="one ID"):
        said("dead", "show", "exchanges")
    bus.close()


def test_a_version_is_shown_with_what_is_not_known_of_it(said: Said, world: World) -> None:
    version = world.candidate()
    to_canary(world, version)
    page = said("versions", version)
    assert page.startswith(f"{version}: canary")
    assert "note: judged on few" in page
    assert "gate passed on 30 general and 30 new held-out prompts" in page
    assert json.loads(said("versions", version, "--json"))["history"]
    with pytest.raises(NotFound, match="no version v99"):
        said("versions", "v99")


def test_what_stands_beside_a_version_stands_beside_every_figure_of_it(
    state_dir: StateDir, sources: Sources, redis_url: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:  # fmt: skip
    quantised, packed = "dequantised from Q4_1", "dequantised from Q8_0"
    beside(state_dir, "t1", quantised, "teacher")
    world = World(state_dir, students=())
    assert beside(state_dir, "gguf", packed) == "v1"
    world.turn()
    redis.Redis.from_url(redis_url).hset(
        f"{RedisKeys('us:').kpis}version:v1", mapping={"rating:n": 2, "rating:s": 6, "rating:q": 20}
    )
    FileRounds(state_dir).begin("v1", "t1", "asked")
    file = tmp_path / "e.yaml"
    file.write_text("id: half\narms: {teacher: 0.5, student: 0.5}\n")
    with served(create_app(world.conductor, sources, TOKEN)) as url:
        monkeypatch.setenv(URL_ENV, url)
        monkeypatch.setenv(ENV, TOKEN)
        said = saying(commands, capsys)
        assert said("versions").count(quantised) == said("versions").count(packed) == 1
        for page in (said("status"), said("rounds", "show"), said("rounds", "list")):
            assert {f"t1: {quantised}", f"v1: {packed}"} <= set(page.splitlines())
        assert f"v1: {packed}" in said("kpis", "--by", "version").splitlines()
        assert packed not in said("kpis", "--by", "arm")
        said("experiment", "apply", str(file))
        page = said("experiment", "results", "half")
        assert f"teacher 0 (t1: {quantised})" in page
        assert f"student 0 (v1: {packed})" in page


def test_an_unfit_version_is_promoted_by_force_alone(
    state_dir: StateDir, sources: Sources, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = beginning(state_dir)
    world.turn()
    with served(create_app(world.conductor, sources, TOKEN)) as url:
        monkeypatch.setenv(URL_ENV, url)
        monkeypatch.setenv(ENV, TOKEN)
        said = saying(commands, capsys)
        with pytest.raises(Refused, match=r"v1 is unfit.*--force"):
            said("promote", "v1")
        with Moving(world):
            answer = json.loads(said("promote", "v1", "--force", "--json"))
        assert (answer["to"], answer["caveats"]) == ("v1", ["promoted by force: it was never found fit"])
        assert world.conductor.document.stable == "v1"


def test_a_freeze_is_told_and_undone(said: Said) -> None:
    assert said("freeze", "learning") == "frozen: learning"
    assert json.loads(said("status", "--json"))["frozen"] == ["learning"]
    assert said("resume", "learning") == "frozen: nothing"


def test_a_round_is_asked_for_shown_and_ended(said: Said, world: World) -> None:
    assert said("rounds", "start").startswith("asked the trainer for a round")
    with pytest.raises(NotFound, match="no round yet"):
        said("rounds", "show")
    world.candidate()
    assert json.loads(said("rounds", "show", "--json"))["id"] == 1
    page = said("rounds", "show", "1")
    assert page.startswith("round 1: gate")
    assert "before and after, with 95 % intervals" in page
    with pytest.raises(Refused, match="no round 7"):
        said("rounds", "show", "7")
    assert said("rounds", "abort", "1").startswith("round 1 ended at gate: aborted by operator")


def test_an_experiment_is_applied_from_a_file_and_stopped(said: Said, tmp_path: Path) -> None:
    file = tmp_path / "half.yaml"
    file.write_text("id: half\narms: {teacher: 0.5, student: 0.5}\n")
    assert said("experiment", "apply", str(file)).startswith("half applies from epoch ")
    assert "half" in said("experiment", "list")
    assert json.loads(said("experiment", "results", "half", "--json"))["decision"] == "keep running"
    assert said("experiment", "stop", "half").endswith("its results stay")


def test_a_plan_is_made_from_rows_or_from_what_the_control_plane_counted(said: Said, tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[3] / "docs" / "examples"
    rows = said("plan", str(root / "experiment.yaml"), f"--data={root / 'rows.jsonl'}")
    assert json.loads(rows)["kpi"] == "first_response_correct"
    with pytest.raises(Refused, match="0 units have it"):
        said("plan", str(root / "experiment.yaml"))
    shown = {"kpi": "click", "mean": 0.5, "units_of_history": 9, "units": 1200, "units_fixed_horizon": 700, "days": 2.5,
             "planned_units": 900, "power": 0.61, "detectable": 0.03}  # fmt: skip
    text = experiment_pages.plan(PlanReply.model_validate(shown))
    assert "1,200 units, about 2.5 days of new users" in text
    assert "61% of the 900 planned units" in text


def test_what_needs_a_word_more_is_refused_before_anything_is_asked(said: Said) -> None:
    with pytest.raises(UsageError, match="--tenant"):
        said("pool", "purge")
    with pytest.raises(UsageError, match="needs an ID"):
        said("experiment", "stop")
    with pytest.raises(UsageError, match="understudy experiment analyse FILE"):
        said("experiment", "--json", "analyse", "e.yaml")
    assert said("pool", "purge", "--tenant", "acme").startswith("removed 0 samples of acme")
    with pytest.raises(Refused, match=r"experiments/../pool: Not Found"):
        said("experiment", "show", "../pool")


def test_why_and_who_are_kept_with_every_act(
    said: Said, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    said("freeze", "learning", "--why", "流量异常", "--as", "王芳 <x>")
    said("resume", "learning", "--why", "all is well")
    with Moving(world):
        said("rollback", "v1", "--why", "worse since noon")
        said("promote", "v2", "--why", "v1 was no better")
    file = tmp_path / "e.yaml"
    file.write_text("id: half\narms: {teacher: 0.5, student: 0.5}\n")
    said("experiment", "apply", str(file), "--why", "half of all", "--as", "ada")
    said("pool", "purge", "--tenant", "acme", "--why", "they asked for it", "--as", "ada")
    said("dead", "replay", "exchanges", "--why", "the disk has room again", "--as", "ada")
    entries = {entry["action"]: entry["details"] for entry in world.conductor.deployment.audit.entries()}
    kept = [
        ("experiment.applied", "half of all"), ("pool.purge.begun", "they asked for it"),
        ("dead.replay", "the disk has room again"),
    ]  # fmt: skip
    by = "ada (system user root, token admin)"
    assert [(act, entries[act].get("why"), entries[act].get("by")) for act, _ in kept] == [(*one, by) for one in kept]
    assert entries["freeze"]["why"] == "流量异常"
    assert entries["freeze"]["by"] == "王芳 ?x? (system user root, token admin)"
    resumed = entries["resume"]
    assert (resumed["why"], resumed["by"]) == (
        "all is well",
        "root (system user root, token admin)",
    )
    assert entries["rollback.begun"]["why"] == "worse since noon"
    assert entries["promote.begun"]["why"] == "v1 was no better"


def test_an_experiment_is_shown_and_stopped_in_words(said: Said, world: World, tmp_path: Path) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(
        "id: half\narms: {teacher: 0.5, student: 0.5}\nwhen: {tenant: shop}\n"
        "primary: {kpi: rating, test: superiority}\nguardrails: [{kpi: latency_p99, max_ratio: 1.3}]\n"
    )
    said("experiment", "apply", str(file))
    shown = said("experiment", "show", "half")
    assert "half: active, by user, seed half" in shown
    assert "arms        teacher 0.5, student 0.5" in shown
    assert "when        tenant shop" in shown
    assert "guardrail   kpi latency_p99, max_ratio 1.3" in shown
    results = said("experiment", "results", "half")
    assert results.startswith("not enough data: no unit has been exposed to teacher nor to student yet")
    assert "0 of 10,000 planned" in results
    assert json.loads(said("experiment", "results", "half", "--json"))["arms"]["student"]["units"] == 0
    said("experiment", "stop", "half", "--why", "no effect")
    entries = [entry for entry in world.conductor.deployment.audit.entries() if entry["action"] == "experiment.stopped"]
    assert entries[0]["details"]["why"] == "no effect"


def test_status_is_watched_until_ctrl_c(said: Said, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(commands.time, "sleep", wait)
    with pytest.raises(KeyboardInterrupt):
        commands.status(["--watch", "0.5", "--json"])
    assert waited == [0.5] * 3
    assert len(capsys.readouterr().out.splitlines()) == 3
