"""What the gateway benchmark refuses before it starts anything."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.commands import main
from bench.gateway.candidates.starting import known
from understudy.errors import UsageError


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No program can be found."""
    monkeypatch.setenv("PATH", str(tmp_path))


def test_an_unknown_peer_is_named() -> None:
    with pytest.raises(UsageError, match="squid"):
        main(["gateway", "--peers", "nginx,squid", "--quick"])


@pytest.mark.parametrize(("peer", "program"), [("litellm", "litellm"), ("sglang", "sglang-router")])
def test_a_peer_that_is_not_installed_is_named_with_the_command_that_installs_it(
    peer: str, program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(UsageError, match=rf"`{peer}` is not installed.*pip install .*litellm\[proxy\].* sglang-router"):
        known([peer])
    (tmp_path / "peers" / "bin").mkdir(parents=True)
    (tmp_path / "peers" / "bin" / program).touch(0o755)
    assert known([peer, "nginx"]) == ["nginx", peer]


def test_a_missing_program_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(UsageError, match=r"`nginx`.*scripts/system-packages"):
        main(["gateway", "--quick"])
