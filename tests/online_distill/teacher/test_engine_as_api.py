"""A vLLM engine as the API of somebody else: what it tells is what probes and rounds take it for.

Its key is the one that asks for no version, as the key of an API is.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from deploy.engines.findings import TeacherFindings, write_findings
from deploy.engines.probing import ask_teacher
from deploy.rounds.store import FileRounds
from feedback.privacy.vault import FOLDER, Vault
from online_distill.data.encoding import Encoder
from online_distill.teacher.knowledge import of_findings
from online_distill.teacher.targets import load_all
from serving.engine.config import served_model
from tests.engines import Engines
from tests.online_distill.role.test_external import Taught
from tests.waiting import within_a_day
from understudy.state import StateDir

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]


@pytest.fixture
def taught(
    engines: Engines, registered: Path, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Taught:
    engines.settle()
    within_a_day(60)
    monkeypatch.setenv("ROUND_KEY", engines.control_key)
    state = StateDir(shutil.copytree(registered, tmp_path / "state"))
    url = f"{engines.url('teacher')}/v1"
    return Taught(state, url, redis_url, tmp_path / "understudy.yaml", served_model("teacher"))


def without_prompts(found: TeacherFindings) -> TeacherFindings:
    """The same API, did it tell log-probabilities of its own replies alone."""
    return found.model_copy(update={"prefill": 0, "prefill_why": "unknown field", "ids": ()})


def test_what_an_engine_tells_is_what_is_learned_from_and_another_model_is_found_out(
    taught: Taught, engines: Engines
) -> None:
    found, student = taught.ask(), taught.state.versions / "v1"
    assert (found.prefill, found.replies, found.served) == (20, 20, "teacher")
    assert found.ids[0] == tuple(Encoder(student).tokenizer.encode(found.answers[0].prompt)[1:])
    assert all(b"".join(map(bytes.fromhex, one.tokens or ())).startswith(one.text.encode()) for one in found.answers)
    assert [of_findings(one, student).level for one in (found, without_prompts(found))] == ["logprobs", "replies"]

    other = taught.engine.model_copy(
        update={"url": f"{engines.url('student-a')}/v1", "model": served_model("student-a")}
    )
    now = ask_teacher(other, found, lambda _: None, lambda: 9.0)
    assert now.changes[-1].replaced
    assert any("the model's own name is student, was teacher" in said for said in now.changes[-1].what)
    assert now.since == 9.0
    assert now.identity != found.identity


@pytest.mark.skipif(not os.environ.get("UNDERSTUDY_FULL"), reason="two rounds beside engines; UNDERSTUDY_FULL=1")
@pytest.mark.parametrize("level", ["logprobs", "replies"])
def test_a_round_takes_what_an_engine_tells(taught: Taught, level: str) -> None:
    found = taught.ask()
    if level == "replies":
        write_findings(taught.state, without_prompts(found))
    assert taught.trainer.tick() is True
    done = FileRounds(taught.state).get(1)
    assert (done.state, done.candidate, done.stages["score"].summary["learned_by"]) == ("gate", "v2", level)
    items = load_all(FileRounds(taught.state).folder(1, "score"), Vault(taught.state.spool / FOLDER))
    assert items
    assert all((item.top.logprobs[:, 1] > -50).any() for item in items), "a reply was learned as text alone"
    assert taught.spending.today()["scoring"] > 0
