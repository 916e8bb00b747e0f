"""What `up` sets where the user says nothing."""

from __future__ import annotations

from serving.up.config import DEFAULTS, composed
from understudy.config import Config, load_config


def test_the_users_keys_go_before_the_defaults_of_up() -> None:
    raw = composed({"router": {"default": {"teacher": 1.0}}, "pool": {"capacity": 5}}, "redis://127.0.0.1:1/0")
    assert raw["router"] == {"default": {"teacher": 1.0}}
    assert raw["rollout"] == DEFAULTS["rollout"]
    assert raw["redis"]["url"] == "redis://127.0.0.1:1/0"
    assert composed({"redis": {"url": "redis://elsewhere:1/0"}}, "x")["redis"]["url"] == "redis://elsewhere:1/0"
    assert Config(composed({}, "redis://127.0.0.1:1/0")).check()
    assert load_config(None, {}).raw == {}
