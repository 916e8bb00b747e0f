"""What the gateway benchmark refuses before it starts anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.commands import main
from understudy.errors import UsageError


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No program can be found."""
    monkeypatch.setenv("PATH", str(tmp_path))


def test_an_unknown_peer_is_named() -> None:
    with pytest.raises(UsageError, match="litellm"):
        main(["gateway", "--peers", "nginx,litellm", "--quick"])


def test_a_missing_program_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(UsageError, match=r"`nginx`.*scripts/system-packages"):
        main(["gateway", "--quick"])
