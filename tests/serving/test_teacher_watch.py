"""A teacher of somebody else is watched: what it gives, when it is another one, and what it costs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from starlette.responses import JSONResponse

from deploy.engines.external import ExternalEngine
from deploy.engines.findings import TeacherFindings, read_findings
from feedback.store.keys import RedisKeys
from feedback.store.spending import Spending
from serving.teacher_watch import HOUR, RETRY, TeacherWatch
from tests.deploy.fleet import World
from tests.onboard.models import tiny
from tests.waiting import eventually
from trials.api import PlayedApi, played
from understudy.state import StateDir

KEY = "sk-of-the-watched"


class Watched:
    """A watch, its clock, its account and the system that it belongs to."""

    def __init__(
        self, state: StateDir, url: str, redis_url: str, cap: int | None = None, probe_hours: float = 12
    ) -> None:
        self.world, self.now = World(state), 1_000_000.0
        self.engine = ExternalEngine(url=url, model="big", api_key_env="WATCHED_KEY", probe_hours=probe_hours)
        self.spending = Spending(
            redis.Redis.from_url(redis_url), RedisKeys("us:"), cap, lambda: self.now, lambda: self.now
        )
        self.watch = self.begun()

    def begun(self) -> TeacherWatch:
        """As after a restart of the controller."""
        return TeacherWatch(self.engine, self.world.state, lambda: self.spending, lambda: self.now)

    def found(self) -> TeacherFindings | None:
        self.watch(self.world.conductor.context)
        return read_findings(self.world.state)

    def asks(self) -> bool:
        """Whether it is asked now; comes back when that is over."""
        before = self.watch._asking
        self.found()
        thread = self.watch._asking
        assert thread is not None
        thread.join(60)
        self.watch(self.world.conductor.context)
        return thread is not before

    def until(self, asked: float) -> TeacherFindings:
        eventually(lambda: (found := self.found()) is not None and found.asked == asked, 60, "an answer")
        found = self.found()
        assert found is not None
        return found

    def audit(self, action: str) -> list[dict[str, Any]]:
        return [e["details"] for e in self.world.conductor.deployment.audit.entries() if e["action"] == action]


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedApi]:
    monkeypatch.setenv("WATCHED_KEY", KEY)
    with played(tiny(tmp_path / "one", layers=2), KEY) as made:
        yield made


def test_another_model_at_the_same_address_is_named_by_log_audit_and_findings(
    api: PlayedApi, state_dir: StateDir, redis_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched(state_dir, api.url, redis_url)
    first = watched.until(watched.now)
    assert (first.gives, first.changes) == ("text", ())
    assert watched.audit("teacher.found") == [{"url": api.url, "gives": "text"}]
    assert watched.spending.today()["probes"] > 100
    asked = len(api.asked)
    watched.now += 11 * HOUR
    watched.watch = watched.begun()
    watched.found()
    assert len(api.asked) == asked  # not before its time, over a restart either
    api.load(tiny(tmp_path / "two", seed=9, layers=2))
    api.served = "big-2"
    watched.now += HOUR
    with caplog.at_level(logging.WARNING, "understudy.controller"):
        found = watched.until(watched.now)
    (change,) = found.changes
    assert change.replaced
    assert "the model's own name is big-2, was big-1" in change.what
    assert watched.audit("teacher.changed")[0]["what"] == list(change.what)
    assert "answers otherwise than before" in caplog.text
    assert KEY not in caplog.text


def test_a_key_that_is_repeated_with_status_200_is_neither_kept_nor_told(
    api: PlayedApi, state_dir: StateDir, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The first questions, for the widths of log-probabilities, may fail; what must be answered fails then."""
    api.failures = [JSONResponse({"error": {"message": f"no quota for {KEY}"}}) for _ in range(4)]
    watched = Watched(state_dir, api.url, redis_url)
    file = state_dir.registry / "external-teacher.json"
    with caplog.at_level(logging.WARNING, "understudy.controller"):
        eventually(lambda: (found := watched.found()) is not None and "no quota" in found.error, 60, "an error")
    assert KEY not in file.read_text() + caplog.text
    api.failures = [JSONResponse({"error": {"message": f"no logprobs for {KEY}"}}) for _ in range(3)]
    watched.now += RETRY
    assert watched.until(watched.now).replies_why.endswith("no logprobs for ***")
    assert KEY not in file.read_text()


def test_one_that_does_not_answer_is_said_and_asked_again(api: PlayedApi, state_dir: StateDir, redis_url: str) -> None:
    api.failures = [JSONResponse({"error": {"message": f"no, {KEY}"}}, 401)]
    watched = Watched(state_dir, api.url, redis_url)
    eventually(lambda: (found := watched.found()) is not None and "401" in found.error, 60, "an error")
    assert KEY not in (state_dir.registry / "external-teacher.json").read_text()
    watched.now += RETRY
    found = watched.until(watched.now)
    assert found.error == ""
    api.failures = [JSONResponse({}, 500)]
    watched.now += 12 * HOUR
    eventually(lambda: (now := watched.found()) is not None and "500" in now.error, 60, "an error")
    kept = watched.found()
    assert kept is not None
    assert kept.answers == found.answers  # what was known stays known


@pytest.mark.parametrize(
    ("probe_hours", "waits"),
    [(12, (RETRY, 30, 60, 120, 240, 480, 960, 1920, HOUR, HOUR)), (0.01, (RETRY, 30, 36, 36))],
)
def test_one_that_fails_again_and_again_is_asked_ever_more_seldom(
    api: PlayedApi, state_dir: StateDir, redis_url: str, probe_hours: float, waits: tuple[float, ...]
) -> None:
    watched = Watched(state_dir, api.url, redis_url, probe_hours=probe_hours)
    api.failures = [JSONResponse({}, 500) for _ in range(len(waits))]
    assert watched.asks()
    for wait in waits:
        watched.now += wait - 1
        assert not watched.asks()
        watched.now += 1
        assert watched.asks()
    found = watched.found()
    assert found is not None
    assert (api.failures, found.error, found.asked) == ([], "", watched.now)
    api.failures = [JSONResponse({}, 500)]
    watched.now += probe_hours * HOUR
    assert watched.asks()
    watched.now += RETRY
    assert watched.asks()
    found = watched.found()
    assert found is not None
    assert found.error == ""


def test_one_that_lets_nothing_but_chat_through_is_asked_once_a_time(
    api: PlayedApi, state_dir: StateDir, redis_url: str
) -> None:
    api.shut = 500
    watched = Watched(state_dir, api.url, redis_url)
    assert watched.asks()
    found = watched.found()
    assert found is not None
    assert (found.asked, found.error) == (watched.now, "")
    assert "500" in found.prefill_why
    for _ in range(3):
        watched.now += HOUR
        assert not watched.asks()


def test_nothing_is_asked_while_the_days_tokens_are_spent(api: PlayedApi, state_dir: StateDir, redis_url: str) -> None:
    watched = Watched(state_dir, api.url, redis_url, cap=50)
    watched.spending.add("primary", 50)
    watched.found()
    eventually(lambda: watched.watch._asking is not None and not watched.watch._asking.is_alive(), 60, "a look")
    watched.found()
    assert (api.asked, watched.found()) == ([], None)
    watched.now += 24 * HOUR
    assert watched.until(watched.now).gives == "text"


def test_a_clock_that_is_set_back_puts_nothing_off(api: PlayedApi, state_dir: StateDir, redis_url: str) -> None:
    watched = Watched(state_dir, api.url, redis_url)
    assert watched.asks()
    assert not watched.asks()
    watched.now -= 100 * HOUR
    assert watched.asks()
    assert not watched.asks()
    api.failures = [JSONResponse({}, 500)]
    watched.now += 24 * HOUR
    assert watched.asks()
    watched.now -= 1
    assert watched.asks()
