"""Which processes `up` starts for which settings."""

from __future__ import annotations

import pytest

from serving.engine.config import EnginesConfig
from serving.up.roles import forks


@pytest.mark.parametrize(
    ("device", "launcher", "forked"),
    [("cpu", "auto", True), ("cpu", "fork", True), ("cpu", "plain", False), ("cuda", "auto", False),
     ("cuda", "fork", False)],
)  # fmt: skip
def test_the_fork_server_runs_where_agents_would_use_it(device: str, launcher: str, forked: bool) -> None:
    assert forks(EnginesConfig.model_validate({"device": device, "launcher": launcher})) is forked
