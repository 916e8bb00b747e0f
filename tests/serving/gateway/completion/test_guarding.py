"""The guard within the request path: what each mode does with a verdict, and that others run meanwhile."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Generator
from typing import Any, cast

import pytest

from deploy.routing.guarding import AllowRule, GuardRules, system_hash
from feedback.flagged.config import FlaggedConfig
from serving.breaker.users import user_name
from serving.gateway.guarding.watch import GuardWatch
from serving.guard.config import GuardConfig
from serving.guard.verdict import GuardJudgement
from serving.guard.windows import SLICE
from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.upstream import Engine
from tests.serving.guard.words import ATTACK, DOUBTFUL, HARMLESS, WordModel

Serve = Callable[..., Running]
LONG = 8 << 20


def guarded(
    serve: Serve, teacher: Engine, mode: str = "enforce", model: WordModel | None = None, **settings: Any
) -> Running:
    """A gateway with a guard that knows a few words, and a document that says nothing of it."""
    running = serve(document({"teacher": teacher}), max_body=LONG + 4096)
    config = GuardConfig.model_validate({"mode": mode, "deadline_ms": 10_000, **settings})
    running.gateway.guard = GuardWatch(config, model or WordModel())
    return running


def counted(running: Running) -> dict[tuple[str, str, str], int]:
    assert running.gateway.guard is not None
    return dict(running.gateway.guard.guard.counts.verdicts)


def test_a_degraded_request_reaches_no_engine_and_is_no_reply_of_an_arm(serve: Serve, teacher: Engine) -> None:
    running = guarded(serve, teacher)
    status, headers, body = running.client.chat(ATTACK, user="u")
    assert (status, headers["x-understudy-degraded"]) == (200, "guard")
    assert body["choices"][0]["finish_reason"] == "content_filter"
    assert body["model"] == "teacher"
    assert "x-understudy-arm" not in headers
    assert "x-understudy-version" not in headers
    assert not teacher.seen
    assert not running.spool.exposures
    (kept,) = running.spool.exchanges
    assert (kept.degraded, kept.flagged, kept.shadow, kept.version, kept.reply) == ("guard", True, False, "", "")
    assert (kept.guard_stage, kept.guard_score, kept.response_id) == ("model", 5.0, body["id"])
    assert kept.guard_user == user_name("default", "user:u")
    assert counted(running) == {("enforce", "degrade", "model"): 1}
    assert running.gateway.metrics.degraded["default", "guard"] == 1
    assert running.client.chat(HARMLESS)[0] == 200
    assert len(teacher.seen) == 1


def test_a_flagged_request_is_served_and_its_session_is_kept_from_learning(serve: Serve, teacher: Engine) -> None:
    running = guarded(serve, teacher)
    session = {"x-understudy-session": "s1"}
    for text, headers in ((HARMLESS, session), (DOUBTFUL, session), (HARMLESS, session), (HARMLESS, {})):
        status, got, _ = running.client.chat(text, headers=headers)
        assert (status, got["x-understudy-arm"]) == (200, "teacher")
    exchanges = running.spool.exchanges
    assert [exchange.flagged for exchange in exchanges] == [False, True, True, False]
    assert [exchange.guard_stage for exchange in exchanges] == ["", "model", "", ""]
    assert running.gateway.metrics.flagged == {("default", "teacher", "t1"): 1}
    assert running.gateway.breakers().guarded == {"default": (1, 0)}


def test_of_a_session_that_was_degraded_nothing_is_learned(serve: Serve, teacher: Engine) -> None:
    running = guarded(serve, teacher)
    session = {"x-understudy-session": "s1"}
    for text in (ATTACK, HARMLESS):
        running.client.chat(text, headers=session)
    assert [exchange.flagged for exchange in running.spool.exchanges] == [True, True]


def test_of_degraded_requests_so_many_a_minute_are_kept_and_none_against_the_clients_will(
    serve: Serve, teacher: Engine
) -> None:
    running = serve(document({"teacher": teacher}))
    config = GuardConfig.model_validate({"mode": "enforce", "deadline_ms": 10_000})
    watch = running.gateway.guard = GuardWatch(config, WordModel(), kept=FlaggedConfig(degraded_per_minute=2))
    now = watch.clock()
    watch.clock = lambda: now
    running.client.chat(ATTACK, headers={"x-understudy-no-capture": "1"})
    for place in range(4):
        running.client.chat(f"{ATTACK} {place}", user=str(place))
    assert len(running.spool.raw) == 2
    assert running.gateway.metrics.events["degraded_not_kept"] == 2
    now += 30.0
    for place in range(4):
        running.client.chat(f"{ATTACK} later {place}", user=str(place))
    assert len(running.spool.raw) == 3


@pytest.mark.parametrize("mode", ["observe", "off"])
def test_without_enforcement_nothing_changes(serve: Serve, teacher: Engine, mode: str) -> None:
    running = guarded(serve, teacher, mode)
    for text in (ATTACK, DOUBTFUL):
        status, headers, _ = running.client.chat(text)
        assert status == 200
        assert "x-understudy-degraded" not in headers
    assert [exchange.flagged for exchange in running.spool.exchanges] == [False, False]
    judged = {("observe", "degrade", "model"): 1, ("observe", "flag", "model"): 1}
    assert counted(running) == (judged if mode == "observe" else {})


def test_a_routing_document_changes_mode_and_thresholds_at_once(serve: Serve, teacher: Engine) -> None:
    running = guarded(serve, teacher, "off")
    assert "x-understudy-degraded" not in running.client.chat(DOUBTFUL)[1]
    rules = GuardRules(tenants={"default": "enforce"}, flag=0.5, degrade=0.75)
    assert running.snapshot.offer(document({"teacher": teacher}, epoch=2, guard=rules))
    assert running.client.chat(DOUBTFUL)[1]["x-understudy-degraded"] == "guard"


@pytest.mark.parametrize(
    "whose",
    [
        {"tenant": "default"}, {"system": system_hash(["You tell of riddles.\n"])},
        {"tenant": "default", "user": user_name("default", "user:ada")},
    ],
)  # fmt: skip
def test_an_operators_exception_lets_its_requests_through_until_its_end(
    serve: Serve, teacher: Engine, whose: dict[str, Any]
) -> None:
    running = guarded(serve, teacher)
    rules = GuardRules(allow=(AllowRule(id="a", until=1000.0, **whose),))
    assert running.snapshot.offer(document({"teacher": teacher}, epoch=2, guard=rules))
    watch = running.gateway.guard
    assert watch is not None
    system = {"role": "system", "content": "You tell of riddles."}
    body = {"model": "auto", "user": "ada", "messages": [system, {"role": "user", "content": ATTACK}]}
    other = {"model": "auto", "user": "eve", "messages": [{"role": "user", "content": ATTACK}]}

    def degraded(asked: dict[str, Any]) -> bool:
        headers = running.client.send("POST", "/v1/chat/completions", json.dumps(asked).encode())[1]
        return "x-understudy-degraded" in headers

    watch.wall = lambda: 999.0
    assert not degraded(body)
    assert degraded(other) == (whose != {"tenant": "default"})
    watch.wall = lambda: 1000.0
    assert degraded(body)
    assert counted(running)["allowed", "degrade", "model"] == (2 if whose == {"tenant": "default"} else 1)


def test_an_attack_in_the_second_half_of_a_long_prompt_is_found(serve: Serve, teacher: Engine) -> None:
    running = guarded(serve, teacher)
    text = f"{HARMLESS} " * 500
    assert running.client.chat(text + ATTACK + text[:8000])[1]["x-understudy-degraded"] == "guard"
    assert "x-understudy-degraded" not in running.client.chat(text)[1]


def test_one_character_eight_million_times_is_answered(serve: Serve, teacher: Engine) -> None:
    running = guarded(serve, teacher)
    status, headers, _ = running.client.chat("a" * LONG)
    assert (status, headers["x-understudy-arm"]) == (200, "teacher")
    assert counted(running) == {("enforce", "flag", "repetition"): 1}


def test_a_deadline_that_is_over_degrades_and_says_so(serve: Serve, teacher: Engine) -> None:
    running = guarded(serve, teacher)
    watch = running.gateway.guard
    assert watch is not None
    times = iter(range(1000))
    watch.worked = lambda: 60.0 * next(times)
    status, headers, body = running.client.chat(HARMLESS)
    assert "x-understudy-degraded" not in headers  # nothing was left to look at
    status, headers, body = running.client.chat(f"{HARMLESS} " * 200)
    assert (status, headers["x-understudy-degraded"]) == (200, "deadline")
    assert body["choices"][0]["finish_reason"] == "content_filter"


def test_who_keeps_the_event_loop_busy_has_nobody_degraded(serve: Serve, teacher: Engine) -> None:
    running = guarded(serve, teacher, deadline_ms=50)
    watch = running.gateway.guard
    assert watch is not None
    stalled = 0
    work = watch.guard.work

    def stalling(*given: Any) -> Generator[float, None, GuardJudgement]:
        nonlocal stalled
        one = work(*given)
        while True:
            try:
                spent = next(one)
            except StopIteration as end:
                return cast("GuardJudgement", end.value)
            time.sleep(0.06)
            stalled += 1
            yield spent

    watch.guard.work = stalling  # type: ignore[method-assign]
    assert "x-understudy-degraded" not in running.client.chat(f"{HARMLESS} " * 300)[1]
    assert stalled > 1


def test_others_have_their_turn_between_any_two_slices_of_a_long_text(serve: Serve, teacher: Engine) -> None:
    had: list[int] = []
    """How often others had their turn, as of each slice."""
    others: list[asyncio.Task[None]] = []
    turns = 0

    async def other() -> None:
        nonlocal turns
        turns += 1

    class Noting(WordModel):
        def score(self, folded: str) -> float:
            had.append(turns)
            others.append(asyncio.get_running_loop().create_task(other()))
            return super().score(folded)

    text = "\n".join(f"{HARMLESS} My number is {number}." for number in range(480))[:32_000]
    assert guarded(serve, teacher, model=Noting()).client.chat(text)[0] == 200
    assert len(had) >= len(text) // SLICE
    assert had == list(range(len(had)))


IMAGE = {"type": "image_url", "image_url": {"url": "https://e/x.png"}}
TOOL = {"type": "function", "function": {"name": "f", "description": ATTACK, "parameters": {}}}
HIDDEN: dict[str, dict[str, Any]] = {
    "a tool's description": {"messages": [{"role": "user", "content": "hi"}], "tools": [TOOL]},
    "an image's text part": {"messages": [{"role": "user", "content": [IMAGE, {"type": "text", "text": ATTACK}]}]},
    "two messages": {"messages": [{"role": "user", "content": ATTACK[:20]}, {"role": "user", "content": ATTACK[20:]}]},
    "a tool's result": {"messages": [{"role": "user", "content": "hi"}, {"role": "tool", "content": ATTACK}]},
    "the history": {"messages": [{"role": "user", "content": ATTACK}, {"role": "user", "content": "hi"}]},
    "a stream": {"messages": [{"role": "user", "content": ATTACK}], "stream": True},
}


@pytest.mark.parametrize("where", HIDDEN)
def test_an_attack_is_found_wherever_it_stands(serve: Serve, teacher: Engine, where: str) -> None:
    running = guarded(serve, teacher)
    raw = json.dumps({"model": "auto", **HIDDEN[where]}).encode()
    status, headers, _ = running.client.send("POST", "/v1/chat/completions", raw)
    assert (status, headers["x-understudy-degraded"]) == (200, "guard")
    assert not teacher.seen


def test_a_completion_s_prompt_is_read_and_answered_in_its_own_form(serve: Serve, teacher: Engine) -> None:
    running = guarded(serve, teacher)
    raw = json.dumps({"model": "auto", "prompt": ["hello", ATTACK]}).encode()
    _, headers, body = running.client.send("POST", "/v1/completions", raw)
    assert headers["x-understudy-degraded"] == "guard"
    assert [choice["finish_reason"] for choice in json.loads(body)["choices"]] == ["content_filter"] * 2


def test_an_application_s_own_system_message_that_says_ignore_is_not_degraded(serve: Serve, teacher: Engine) -> None:
    running = guarded(serve, teacher)
    messages = [{"role": "system", "content": ATTACK}, {"role": "user", "content": HARMLESS}]
    raw = json.dumps({"model": "auto", "messages": messages}).encode()
    _, headers, _ = running.client.send("POST", "/v1/chat/completions", raw)
    assert "x-understudy-degraded" not in headers


def test_a_model_that_there_is_not_is_told_whatever_the_text(serve: Serve, teacher: Engine) -> None:
    assert guarded(serve, teacher).client.chat(ATTACK, model="gpt-x")[0] == 404
