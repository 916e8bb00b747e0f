"""A round whose teacher is an API of somebody else: waits until it is known, takes what there is, keeps to its cap."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import yaml
from starlette.responses import JSONResponse

from deploy.engines.external import ExternalEngine
from deploy.engines.findings import TeacherFindings, read_findings, write_findings
from deploy.engines.knowledge import read_knowledge
from deploy.engines.probing import ask_teacher
from deploy.rounds.store import FileRounds
from deploy.routing.document import EXTERNAL, RoutingDocument
from deploy.routing.stores import open_routing
from feedback.pool.config import PoolConfig
from feedback.pool.store import Pool
from feedback.privacy.vault import FOLDER, Vault
from feedback.store.keys import RedisKeys
from feedback.store.spending import Spending
from online_distill.role.trainer import Trainer
from online_distill.teacher.targets import load_all
from tests.online_distill.role.conftest import GATE, SETTINGS
from tests.online_distill.world import make_samples
from tests.waiting import within_a_day
from trials.api import Gives, PlayedApi, played
from understudy.config import load_config
from understudy.errors import Unavailable
from understudy.state import StateDir

KEY, CAP = "sk-of-the-rounds", 1_000_000
API = Path(__file__).resolve().parents[3] / "demo" / "registry" / "students" / "v1"
"""A small model of the demo's tokenizer, which plays the API; the student that learns has random weights."""


@pytest.fixture(scope="module")
def api() -> Iterator[PlayedApi]:
    with played(API, KEY) as made:
        made.longest = 10
        yield made


class Taught:
    """A trainer whose teacher is the API, with failures of its student."""

    def __init__(self, state: StateDir, url: str, redis_url: str, file: Path, model: str = "big") -> None:
        self.state, self.redis = state, redis.Redis.from_url(redis_url)
        self.engine = ExternalEngine(url=url, model=model, api_key_env="ROUND_KEY", daily_tokens=CAP)
        trainer = {**SETTINGS, "scorer": "engine", "budget_seconds": 60, "min_train": 4}
        teacher = self.engine.model_dump(exclude={"probe_hours"})
        file.write_text(
            yaml.safe_dump(
                {
                    "redis": {"url": redis_url},
                    "trainer": trainer,
                    "gate": GATE,
                    "engines": {"teacher": teacher},
                }
            )
        )
        slots = {"teacher": self.engine.slot}
        document = RoutingDocument(epoch=1, stable="v1", teacher=EXTERNAL, slots=slots)
        open_routing(state, redis_url, "us:").documents.publish(document)
        pool = Pool(self.redis, config=PoolConfig(duplicate_similarity=1.0))
        for sample in make_samples(40):
            pool.admit(sample.model_copy(update={"teacher": EXTERNAL}))
        self.spending = Spending(self.redis, RedisKeys("us:"), CAP)
        self.trainer = Trainer(state, load_config(file, {}), threading.Event())

    def ask(self) -> TeacherFindings:
        """As the controller does."""
        write_findings(self.state, ask_teacher(self.engine, read_findings(self.state), lambda _: None, lambda: 0.5))
        found = read_findings(self.state)
        assert found is not None
        return found


@pytest.fixture
def taught(
    state_dir: StateDir, api: PlayedApi, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Taught:
    within_a_day(15)
    monkeypatch.setenv("ROUND_KEY", KEY)
    return Taught(state_dir, api.url, redis_url, tmp_path / "understudy.yaml")


@pytest.mark.parametrize("level", ["replies", "text"])
def test_a_round_takes_what_the_api_gives(taught: Taught, api: PlayedApi, level: Gives) -> None:
    api.gives = level
    with pytest.raises(Unavailable, match="has not told yet what can be learned from it"):
        taught.trainer.tick()
    assert FileRounds(taught.state).all() == []
    taught.ask()
    assert taught.trainer.tick() is True
    done = FileRounds(taught.state).get(1)
    assert (done.state, done.teacher, done.candidate) == ("gate", EXTERNAL, "v2")
    assert done.stages["score"].summary["learned_by"] == level
    items = load_all(FileRounds(taught.state).folder(1, "score"), Vault(taught.state.spool / FOLDER))
    soft = [item for item in items if (item.top.logprobs[:, 1] > -50).any()]
    assert bool(soft) is (level == "replies")
    assert not any(item.key.endswith("/student") for item in items)
    assert (taught.spending.today()["scoring"] > 0) is (level == "replies")
    told = read_knowledge(taught.state)
    assert told is not None
    assert (told.level, told.teacher) == (level, EXTERNAL)
    cached = list(FileRounds(taught.state).kept.glob("targets/*/*"))
    assert bool(cached) is (level == "replies")
    for path in taught.state.root.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_a_key_that_a_failing_api_repeats_is_in_no_error_of_the_trainer(taught: Taught, api: PlayedApi) -> None:
    api.gives = "replies"
    taught.ask()
    said = JSONResponse({"error": {"message": f"Incorrect API key provided: {KEY}"}}, 401)
    api.failures = [said] * 9
    with pytest.raises(Unavailable, match=r"provided: \*\*\*") as refused:
        taught.trainer.tick()
    assert KEY not in str(refused.value)
    api.failures = []
    assert FileRounds(taught.state).get(1).state == "score"
    assert taught.trainer.tick() is True  # nothing is lost
    assert FileRounds(taught.state).get(1).state == "gate"
    for path in taught.state.root.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_at_the_cap_no_round_begins_and_at_another_teacher_nothing_old_is_learned(
    taught: Taught, api: PlayedApi
) -> None:
    api.gives = "text"
    taught.spending.add("primary", CAP)
    taught.ask()
    with pytest.raises(Unavailable, match="spent; learning goes on tomorrow"):
        taught.trainer.tick()
    assert FileRounds(taught.state).all() == []
    taught.redis.delete(RedisKeys("us:").spent)
    replaced = taught.ask().model_copy(update={"since": 1_000.0})  # after all samples
    write_findings(taught.state, replaced)
    trainer = taught.trainer
    trainer._spending = Spending(taught.redis, RedisKeys("us:"), CAP)  # one that has read nothing yet
    assert trainer.tick() is False
    assert FileRounds(taught.state).all() == []
