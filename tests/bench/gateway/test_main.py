"""What the gateway benchmark refuses before it starts anything."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.commands import main
from bench.gateway import telling
from bench.gateway.candidates import names
from bench.gateway.load import GatewayResult
from bench.gateway.main import paced, ratios
from understudy.errors import UsageError


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No program can be found."""
    monkeypatch.setenv("PATH", str(tmp_path))


def test_an_unknown_peer_is_named() -> None:
    with pytest.raises(UsageError, match="squid"):
        main(["gateway", "--peers", "nginx,squid", "--quick"])


def test_a_peer_that_is_not_installed_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(UsageError, match=r"`litellm` is not installed.*pip install .*litellm\[proxy\]"):
        names(["litellm"])
    (tmp_path / "peers" / "bin").mkdir(parents=True)
    (tmp_path / "peers" / "bin" / "litellm").touch(0o755)
    assert names(["litellm", "nginx"])[:3] == ["direct", "nginx", "litellm"]


def test_a_missing_program_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(UsageError, match=r"`nginx`.*scripts/system-packages"):
        main(["gateway", "--quick"])


def test_a_row_with_a_drop_is_void_and_shares_are_of_nginx() -> None:
    kept = GatewayResult(50.0, 1.0, 2.0, 30.0, 20.0, 1.0, 0, 0, 9)
    lossy = replace(kept, dropped=1)
    nginx = replace(kept, per_second=100.0, p50=0.5, cpu_loop=5.0, cpu_others=0.0)
    report = ratios({"w": {"direct": nginx, "nginx": nginx, "understudy": kept, "understudy-all": lossy}})
    rows = report["workloads"]["w"]
    assert (rows["understudy"]["of_nginx"], rows["understudy"]["cpu_of_nginx"]) == (0.5, 10.0)
    assert rows["understudy"]["added_p50"] == 0.5
    assert (rows["understudy-all"]["per_second"], rows["understudy-all"]["of_nginx"]) == (0.0, None)
    assert [row[2:4] for row in telling.rows(report)[2:]] == [("50", "0.500"), ("void", "")]


def test_several_workers_are_compared_with_one_of_the_same_run() -> None:
    assert names(["nginx"]) == ["direct", "nginx", "understudy", "understudy-all", "understudy-guard"]
    assert names([], 2)[-2:] == ["understudy x2", "understudy-all x2"]
    one = GatewayResult(50.0, 1.0, 2.0, 30.0, 20.0, 1.0, 0, 0, 9)
    two = replace(one, per_second=80.0, cpu_loop=33.0)
    report = ratios({"w": {
        "direct": one, "understudy": one, "understudy x2": two,
        "understudy-all": one, "understudy-all x2": replace(two, dropped=1),
    }})  # fmt: skip
    rows = report["workloads"]["w"]
    assert (rows["understudy x2"]["cpu_of_one"], rows["understudy x2"]["rate_of_one"]) == (1.06, 1.6)
    assert rows["understudy"]["cpu_of_one"] is None
    assert rows["understudy-all x2"]["cpu_of_one"] is None


def test_one_worker_is_measured_again_with_what_each_of_several_had() -> None:
    one = GatewayResult(50.0, 1.0, 2.0, 30.0, 20.0, 1.0, 0, 0, 9)
    found = {
        "direct": one, "understudy": one, "understudy x2": one, "understudy-all": one,
        "understudy-all x2": replace(one, paused=7.0, cpu_loop=60.0),
    }  # fmt: skip
    assert paced(found) == [("understudy-all", 2, 7.0)]
    found["understudy-all, a share"] = replace(one, paused=7.0, cpu_loop=55.0)
    rows = ratios({"w": found})["workloads"]["w"]
    assert rows["understudy-all x2"]["cpu_of_one"] == 80 / 75
    assert [rows[name]["cpu_of_one"] for name in ("understudy-all", "understudy-all, a share")] == [None, None]
