"""One decision at a time: begins for a reason, resumes, waits for Redis."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path

import pytest
import redis
import yaml

from deploy.engines.knowledge import read_knowledge
from deploy.registry.store import Registry
from deploy.rounds.store import FileRounds
from deploy.routing.document import RoutingDocument
from deploy.routing.stores import open_routing
from feedback.events import HardSample
from feedback.pool.config import PoolConfig
from feedback.pool.store import Pool
from feedback.privacy.vault import FOLDER, Vault
from online_distill.data.encoding import Encoder
from online_distill.role.trainer import Trainer
from online_distill.teacher.targets import load_all
from tests.online_distill.role.conftest import GATE, SETTINGS
from tests.online_distill.role.pool import fill
from tests.online_distill.world import make_samples
from understudy.config import load_config
from understudy.errors import NotFound, Unavailable
from understudy.state import StateDir


def trainer(state: StateDir, config_file: Path) -> Trainer:
    return Trainer(state, load_config(config_file, {}), threading.Event())


def test_enough_fresh_samples_begin_a_round_and_the_next_counts_from_there(
    state_dir: StateDir, config_file: Path, redis_url: str
) -> None:
    role = trainer(state_dir, config_file)
    assert role.tick() is False
    fill(redis_url, 60)
    assert role.tick() is True
    found = FileRounds(state_dir).get(1)
    assert (found.state, found.candidate, found.parent, found.teacher) == ("gate", "v2", "v1", "t1")
    assert role.tick() is False
    FileRounds(state_dir).finish(1, "gate", {}, "rejected")
    assert role.tick() is False
    assert len(FileRounds(state_dir).all()) == 1


def test_what_another_student_failed_begins_no_round(state_dir: StateDir, config_file: Path, redis_url: str) -> None:
    pool = Pool(redis.Redis.from_url(redis_url), config=PoolConfig(duplicate_similarity=1.0))
    for sample in make_samples(60):
        pool.admit(sample.model_copy(update={"student": "v0"}))
    assert trainer(state_dir, config_file).tick() is False
    assert FileRounds(state_dir).all() == []


def test_failures_beside_the_text_of_a_former_teacher_begin_no_round(
    state_dir: StateDir, config_file: Path, redis_url: str
) -> None:
    pool = Pool(redis.Redis.from_url(redis_url), config=PoolConfig(duplicate_similarity=1.0))
    for sample in make_samples(60):
        pool.admit(sample.model_copy(update={"teacher": "t0"}))
    assert trainer(state_dir, config_file).tick() is False
    assert FileRounds(state_dir).all() == []


def test_a_request_begins_a_round_once(state_dir: StateDir, config_file: Path, redis_url: str) -> None:
    fill(redis_url, 24)
    client = redis.Redis.from_url(redis_url)
    client.set("us:round:request", "operator")
    role = trainer(state_dir, config_file)
    assert role.tick() is True
    assert FileRounds(state_dir).get(1).why == "operator"
    assert client.get("us:round:request") is None


def test_a_student_of_another_tokenizer_learns_by_text_alone(
    state_dir: StateDir, config_file: Path, redis_url: str
) -> None:
    registry = Registry(state_dir)
    renumber(registry.path("t1") / "tokenizer.json")
    teacher, student = Encoder(registry.path("t1")), Encoder(registry.path("v1"))
    samples = [logged(sample, teacher) for sample in (*make_samples(60), *make_samples(60, start=5000))]
    assert teacher.tokenizer.encode(samples[0].teacher_text) != student.tokenizer.encode(samples[0].teacher_text)
    pool = Pool(redis.Redis.from_url(redis_url), config=PoolConfig(duplicate_similarity=1.0))
    for hard, anchor in zip(samples[:60], samples[60:], strict=True):
        pool.admit(hard)
        pool.anchor(anchor.model_copy(update={"weight": 1.0}))
    unhurried = {"redis": {"url": redis_url}, "trainer": SETTINGS | {"budget_seconds": 600}, "gate": GATE}
    config_file.write_text(yaml.safe_dump(unhurried))  # its epochs end it, however long they take
    role = trainer(state_dir, config_file)
    assert role.tick() is True
    done = FileRounds(state_dir).get(1)
    assert (done.state, done.candidate) == ("gate", "v2")
    scored, judged = done.stages["score"].summary, done.stages["evaluate"].summary
    assert (scored["learned_by"], scored["seconds_per_text"]) == ("text", 0.0)
    assert "t1 and v1 differ in tokenizer.json" in scored["not_more"]
    items = load_all(FileRounds(state_dir).folder(1, "score"), Vault(state_dir.spool / FOLDER))
    assert items
    assert {student.text(item.tokens[item.start :]) for item in items} <= {one.teacher_text for one in samples}
    assert all((item.top.ids[:, 0] == item.tokens[item.start :]).all() for item in items)
    assert not any(item.key.endswith("/student") for item in items)
    assert list(FileRounds(state_dir).kept.glob("targets/*/*")) == []
    assert judged["general"]["candidate"] > judged["general"]["parent"] + 0.1
    said = read_knowledge(state_dir)
    assert said is not None
    assert (said.teacher, said.student, said.level) == ("t1", "v1", "text")


def renumber(tokenizer: Path) -> None:
    """Give the tokens of a vocabulary each other's numbers, but for the control tokens."""
    told = json.loads(tokenizer.read_text("utf-8"))
    vocabulary, control = told["model"]["vocab"], {one["content"] for one in told["added_tokens"]}
    words = [word for word in vocabulary if word not in control]
    vocabulary |= zip(words, [vocabulary[word] for word in reversed(words)], strict=True)
    tokenizer.write_text(json.dumps(told, ensure_ascii=False), "utf-8")


def logged(sample: HardSample, teacher: Encoder) -> HardSample:
    """A sample with its teacher's reply in his own tokens, as his engine logs them."""
    own = teacher.tokenizer.encode(sample.teacher_text, add_special_tokens=False)
    return sample.model_copy(update={"teacher_tokens": (*own, teacher.end)})


def test_redis_away_is_unavailable_and_no_round(state_dir: StateDir, config_file: Path) -> None:
    config_file.write_text(
        yaml.safe_dump({"redis": {"url": "redis://127.0.0.1:1"}, "trainer": SETTINGS, "gate": {"on_few": "go"}})
    )
    with pytest.raises(Unavailable):
        trainer(state_dir, config_file).tick()
    assert FileRounds(state_dir).all() == []


def test_no_student_is_said(tmp_path: Path, redis_url: str) -> None:
    config = load_config(None, {"UNDERSTUDY_REDIS__URL": redis_url})
    with pytest.raises(NotFound, match="no student"):
        Trainer(StateDir(tmp_path / "empty"), config, threading.Event()).tick(now=True)


def test_an_unfit_student_is_the_parent_of_rounds_and_without_any_none_begins(
    state_dir: StateDir, config_file: Path, redis_url: str
) -> None:
    documents = open_routing(state_dir, redis_url).documents
    documents.publish(RoutingDocument(epoch=1, teacher="t1"), 0)
    fill(redis_url, 60)
    role = trainer(state_dir, config_file)
    assert role.tick() is False
    documents.publish(RoutingDocument(epoch=2, teacher="t1", unfit="v1"), 0)
    with contextlib.suppress(Unavailable):  # few rows are held out, and the round may wait for more
        role.tick()
    assert FileRounds(state_dir).get(1).parent == "v1"
