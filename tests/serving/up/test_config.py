"""What `up` sets where the user says nothing."""

from __future__ import annotations

from deploy.life.config import GateConfig
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


def test_up_judges_on_120_general_rows_and_30_failures_and_on_fewer_rather_than_not_at_all() -> None:
    gate = Config(composed({}, "redis://127.0.0.1:1/0")).section(GateConfig)
    assert (gate.general_rows, gate.hard_rows, gate.on_few) == (120, 30, "go")
    own = Config(composed({"gate": {"general_rows": 200}}, "redis://127.0.0.1:1/0")).section(GateConfig)
    assert (own.general_rows, own.hard_rows) == (200, 30)
    assert (GateConfig().general_rows, GateConfig().hard_rows, GateConfig().on_few) == (400, 100, "wait")
