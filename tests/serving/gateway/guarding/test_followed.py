"""What an operator sets at the control plane, as clients of a gateway that follows meet it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from deploy.routing.document import RouterConfig
from deploy.routing.stores import open_routing
from feedback.store.config import RedisConfig
from serving.control.sources import Sources
from serving.gateway.guarding.watch import GuardWatch
from serving.guard.config import GuardConfig
from tests.deploy.fleet import settled
from tests.serving.control.conftest import client
from tests.serving.gateway.conftest import Running, following
from tests.serving.guard.words import ATTACK, DOUBTFUL, HARMLESS, WordModel
from tests.waiting import eventually
from understudy.config import Config
from understudy.state import StateDir


def test_a_gateway_takes_up_mode_and_thresholds_that_are_set_at_the_control_plane(
    serve: Callable[..., Running], state_dir: StateDir
) -> None:
    admin = client(settled(state_dir), Sources(Config({}), RedisConfig(), state_dir))
    running = serve(follow=following(open_routing(state_dir, None), state_dir, RouterConfig().poll_seconds))
    config = GuardConfig.model_validate({"deadline_ms": 10_000})
    running.gateway.guard = GuardWatch(config, WordModel())

    def set_guard(**asked: Any) -> None:
        epoch = admin.post("/guard", json=asked).json()["epoch"]
        eventually(lambda: running.snapshot.document.epoch == epoch, what="the gateway's look at the document")

    def degraded() -> list[str]:
        texts = {"attack": ATTACK, "doubtful": DOUBTFUL, "harmless": HARMLESS}
        return [name for name, text in texts.items() if "x-understudy-degraded" in running.client.chat(text)[1]]

    eventually(lambda: running.snapshot.known, what="the gateway's first look at a document")
    assert degraded() == []
    set_guard(mode="enforce")
    assert degraded() == ["attack"]
    set_guard(flag=0.5, degrade=0.75)
    assert degraded() == ["attack", "doubtful"]
    set_guard(mode="off", tenant="default")
    assert degraded() == []


def test_a_gateway_looks_at_the_document_often_enough_to_follow_within_a_second() -> None:
    assert RouterConfig().poll_seconds <= 0.5
