"""A user who attacks again and again, and those who do not, as clients of a gateway see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from serving.breaker.users import user_name
from serving.gateway.completion.breaking import address_of, asker, let_in
from serving.gateway.completion.context import CHAT, RequestContext
from serving.gateway.completion.ending import over
from serving.gateway.guarding.watch import GuardWatch
from serving.gateway.http.endpoint import RequestHead
from serving.gateway.routing import Ask
from serving.guard.config import GuardConfig
from tests.serving.gateway.conftest import Running, both, document
from tests.serving.gateway.upstream import Engine
from tests.serving.guard.words import ATTACK, HARMLESS, WordModel

Serve = Callable[..., Running]
Make = Callable[..., Engine]
MALLORY, ADA = {"x-understudy-user": "mallory"}, {"x-understudy-user": "ada"}


class Settable:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def guarded(
    serve: Serve, engines: dict[str, Engine], mode: str = "enforce", **breaker: Any
) -> tuple[Running, Settable]:
    """A gateway with a guard that knows a few words, and the clock of its breakers."""
    running = serve(document(engines, default={"student": 1.0} if "student" in engines else {"teacher": 1.0}))
    config = GuardConfig.model_validate({"mode": mode, "deadline_ms": 10_000, "breaker": breaker})
    clock = Settable()
    running.gateway.guard = GuardWatch(config, WordModel(), clock)
    return running, clock


def cause(running: Running, text: str, headers: dict[str, str]) -> str | None:
    """How a request was degraded; None: it was served."""
    status, got, _ = running.client.chat(text, headers=headers)
    assert status == 200
    return got.get("x-understudy-degraded")


def attacks(running: Running, number: int, headers: dict[str, str]) -> list[str | None]:
    """What comes of so many attacks, each in words of its own."""
    return [cause(running, f"{ATTACK} {headers} {place}", headers) for place in range(number)]


def test_who_attacks_again_and_again_is_answered_without_a_judgement_and_nobody_else(
    serve: Serve, teacher: Engine
) -> None:
    running, clock = guarded(serve, {"teacher": teacher})
    assert attacks(running, 6, MALLORY) == ["guard"] * 5 + ["breaker"]
    assert cause(running, HARMLESS, MALLORY) == "breaker"
    assert cause(running, HARMLESS, ADA) is None
    assert len(teacher.seen) == 1
    assert all(exchange.degraded for exchange in running.spool.exchanges if exchange.user == "mallory")
    beat = running.gateway.breakers()
    assert (beat.open, beat.users) == (1, (user_name("default", "user:mallory"),))
    clock.now += 60
    assert cause(running, HARMLESS, MALLORY) is None
    assert cause(running, HARMLESS, MALLORY) is None
    assert running.gateway.breakers().open == running.gateway.breakers().half_open == 0


def test_an_attack_that_comes_again_with_its_conversation_counts_once(serve: Serve, teacher: Engine) -> None:
    running, _ = guarded(serve, {"teacher": teacher})
    assert [cause(running, ATTACK, MALLORY) for _ in range(9)] == ["guard"] * 9
    assert running.gateway.breakers().open == 0


def test_the_teacher_alone_may_answer_instead_and_nothing_is_learned_of_it(serve: Serve, engine: Make) -> None:
    running, _ = guarded(serve, both(engine), action="teacher")
    attacks(running, 5, MALLORY)
    for model in ("auto", "student"):
        status, headers, _ = running.client.chat(HARMLESS, model=model, headers=MALLORY)
        assert (status, headers["x-understudy-arm"]) == (200, "teacher")
        assert running.spool.exchanges[-1].flagged
    assert running.client.chat(HARMLESS, headers=ADA)[1]["x-understudy-arm"] == "student"
    assert cause(running, f"{ATTACK} once more", MALLORY) == "guard"


def test_a_guard_that_observes_cuts_nobody_off(serve: Serve, teacher: Engine) -> None:
    running, _ = guarded(serve, {"teacher": teacher}, mode="observe")
    assert attacks(running, 8, MALLORY) == [None] * 8


def test_who_names_no_user_is_known_by_address(serve: Serve, teacher: Engine) -> None:
    running, _ = guarded(serve, {"teacher": teacher})
    attacks(running, 5, {"x-forwarded-for": "10.0.0.1"})
    assert cause(running, HARMLESS, {"x-forwarded-for": "10.0.0.2"}) == "breaker"
    assert cause(running, HARMLESS, ADA) is None


def test_behind_a_proxy_that_is_trusted_its_word_counts(serve: Serve, teacher: Engine) -> None:
    running, _ = guarded(serve, {"teacher": teacher}, trust_forwarded=True)
    attacks(running, 5, {"x-forwarded-for": "9.9.9.9, 10.0.0.1"})
    assert cause(running, HARMLESS, {"x-forwarded-for": "8.8.8.8, 10.0.0.1"}) == "breaker"
    assert cause(running, HARMLESS, {"x-forwarded-for": "9.9.9.9, 10.0.0.2"}) is None
    assert cause(running, HARMLESS, {}) is None


def test_a_user_cannot_pass_for_an_address(serve: Serve, teacher: Engine) -> None:
    running, _ = guarded(serve, {"teacher": teacher})
    attacks(running, 5, {"x-understudy-user": "127.0.0.1"})
    assert cause(running, HARMLESS, {}) is None


@pytest.mark.parametrize("settings", [{"deadline_ms": 1e-6}, {"endpoint": "dead"}])
def test_what_is_no_doing_of_the_user_opens_nothing(serve: Serve, teacher: Engine, settings: dict[str, Any]) -> None:
    if "endpoint" in settings:
        settings = {"endpoint": {"url": "http://127.0.0.1:1/v1", "on_failure": "degrade"}, "deadline_ms": 10_000}
    running = serve(document({"teacher": teacher}))
    config = GuardConfig.model_validate({"mode": "enforce", **settings})
    running.gateway.guard = GuardWatch(config, WordModel())
    for place in range(8):
        assert cause(running, f"{HARMLESS} {place} " * 100, MALLORY) in ("guard", "deadline")
    assert running.gateway.breakers().open == 0


async def test_a_request_that_ends_before_it_is_judged_gives_its_probe_back(serve: Serve, teacher: Engine) -> None:
    running, clock = guarded(serve, {"teacher": teacher}, probes=1)
    attacks(running, 5, MALLORY)
    clock.now += 60
    watch = running.gateway.guard
    assert watch is not None
    head = RequestHead(CHAT, b"", [(b"x-understudy-no-capture", b"1")], True, False, False)
    for _ in range(3):
        context = RequestContext(running.gateway, head)
        context.ask = Ask("auto", "s", "r", "mallory")
        let_in(context, watch)
        over(context, None, "cancelled", 499, b"", b"")


def test_behind_a_unix_socket_there_is_no_address() -> None:
    assert address_of(None) == ""
    context = RequestContext.__new__(RequestContext)
    context.ask, context.transport, context.given = Ask("auto", "s", "r"), None, {}
    assert asker(context, True) == "address:"
