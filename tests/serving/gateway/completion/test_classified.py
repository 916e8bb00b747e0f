"""A moderation API behind the guard that hangs, answers rubbish or is absent, as clients of a gateway see it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from serving.gateway.guarding.watch import GuardWatch
from serving.guard.config import GuardConfig
from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.guarding.test_classifier import RUBBISH, Answer, endpoint, judged
from tests.serving.gateway.upstream import Engine, run
from tests.serving.guard.words import HARMLESS, WordModel

Serve = Callable[..., Running]
OUT_OF_ORDER: dict[str, Answer | None] = {**RUBBISH, "absent": None}
HANG_MS = 200


@contextmanager
def classified(
    serve: Serve, teacher: Engine, loop: asyncio.AbstractEventLoop, answer: Answer | None, on_failure: str, ms: float
) -> Iterator[Running]:
    """A gateway whose guard finds nothing itself and asks an endpoint that gives `answer`; None: nobody listens."""

    running = serve(document({"teacher": teacher}))
    there = endpoint(answer or judged)
    url, _ = run(loop, there.__aenter__())
    if answer is None:
        run(loop, there.__aexit__(None, None, None))
    asked = {"url": url, "on_failure": on_failure}
    config = GuardConfig.model_validate({"mode": "enforce", "deadline_ms": ms, "endpoint": asked})
    watch = running.gateway.guard = GuardWatch(config, WordModel())
    try:
        yield running
    finally:
        run(loop, watch.close())
        if answer is not None:
            run(loop, there.__aexit__(None, None, None))


@pytest.mark.parametrize("how", OUT_OF_ORDER)
@pytest.mark.parametrize("on_failure", ["serve", "degrade"])
def test_what_an_endpoint_out_of_order_does_not_judge_is_served_or_degraded_as_is_set(
    serve: Serve, teacher: Engine, loop: asyncio.AbstractEventLoop, how: str, on_failure: str
) -> None:
    ms = HANG_MS if how == "hangs" else 10_000
    with classified(serve, teacher, loop, OUT_OF_ORDER[how], on_failure, ms) as running:
        status, headers, _ = running.client.chat(HARMLESS)
        watch = running.gateway.guard
        assert watch is not None
        assert watch.classifier is not None
        assert watch.classifier.failures == 1
    assert status == 200
    if on_failure == "serve":
        assert headers["x-understudy-arm"] == "teacher"
        assert "x-understudy-degraded" not in headers
        assert not running.spool.exchanges[0].flagged
    else:
        assert headers["x-understudy-degraded"] == "guard"
        assert not teacher.seen


@pytest.mark.parametrize("on_failure", ["serve", "degrade"])
def test_one_that_judges_is_heard(
    serve: Serve, teacher: Engine, loop: asyncio.AbstractEventLoop, on_failure: str
) -> None:
    with classified(serve, teacher, loop, judged, on_failure, 10_000) as running:
        assert "x-understudy-degraded" not in running.client.chat("hello")[1]
        assert running.client.chat("an attack on the model")[1]["x-understudy-degraded"] == "guard"
    assert len(teacher.seen) == 1
