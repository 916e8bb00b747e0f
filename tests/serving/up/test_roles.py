"""Which processes `up` starts for which settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.engine.config import EnginesConfig
from serving.up.launch import plan
from serving.up.options import UpOptions
from serving.up.roles import GATEWAY, TRAINER, forks, product_roles
from understudy.state import StateDir


@pytest.mark.parametrize(
    ("device", "launcher", "forked"),
    [("cpu", "auto", True), ("cpu", "fork", True), ("cpu", "plain", False), ("cuda", "auto", False),
     ("cuda", "fork", False)],
)  # fmt: skip
def test_the_fork_server_runs_where_agents_would_use_it(device: str, launcher: str, forked: bool) -> None:
    assert forks(EnginesConfig.model_validate({"device": device, "launcher": launcher})) is forked


def test_the_gateway_reads_the_same_configuration_as_under_serve(tmp_path: Path) -> None:
    config = tmp_path / "understudy.yaml"
    roles = {role.name: role for role in product_roles(StateDir(tmp_path), config, EnginesConfig(), 7)}
    command = roles[GATEWAY].argv
    assert command[command.index("serve") :] == (
        "serve", "--gateway-only", "--state", str(tmp_path), "--config", str(config),
    )  # fmt: skip


def test_the_trainer_yields_as_far_as_is_configured(tmp_path: Path) -> None:
    def niceness(text: str) -> int:
        (tmp_path / "u.yaml").write_text(text)
        found = plan(UpOptions(StateDir(tmp_path / "state"), config=tmp_path / "u.yaml"))
        roles = {role.name: role.nice for role in product_roles(StateDir(tmp_path), found.config, found.engines,
                                                                found.trainer_nice)}  # fmt: skip
        return roles[TRAINER]

    assert (niceness("trainer: {nice: 0}"), niceness("trainer: {nice: 4}"), niceness("")) == (0, 4, 10)
