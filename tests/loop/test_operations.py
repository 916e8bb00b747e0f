"""What an operator does to a running system, on real engines: swap, roll back, and what must not go live."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import httpx
import openai
import pytest

from tests.loop.experimenter import understudy
from tests.loop.turn import FULL
from tests.waiting import eventually
from trials.swaps import measure
from trials.system import ROOT, System

pytestmark = [pytest.mark.loop, pytest.mark.timeout(1800)]


def ask(system: System, model: str, text: str = "我的订单什么时候到？") -> openai.types.chat.ChatCompletion:
    client = openai.OpenAI(base_url=f"{system.gateway}/v1", api_key="any", max_retries=0)
    return client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}], max_tokens=24, temperature=0
    )


def test_rollback_from_a_second_terminal_brings_back_the_previous_version(settled: System) -> None:
    previous = settled.status().live.student
    assert previous is not None
    settled.promote(settled.status().previous[0])  # what a rollback has left would not be gone back to
    before = settled.status()
    done = understudy(settled.state, "rollback", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["from"], answer["to"]) == (before.live.student, previous)
    assert answer["epoch"] > before.epoch
    response = httpx.post(
        f"{settled.gateway}/v1/chat/completions",
        json={
            "model": "student",
            "messages": [{"role": "user", "content": "Where is my order?"}],
            "max_tokens": 8,
        },
        timeout=60,
    )
    assert response.headers["x-understudy-version"] == previous


def test_a_rollback_freezes_promotion_until_it_is_resumed(settled: System) -> None:
    assert understudy(settled.state, "rollback").returncode == 0
    assert "promotion" in settled.status().frozen
    assert understudy(settled.state, "resume", "promotion").returncode == 0
    assert "promotion" not in settled.status().frozen


def test_swaps_and_rollbacks_under_streams_fail_cut_and_mix_nothing(settled: System) -> None:
    swaps, quiet_seconds = (200, None) if FULL else (3, 1.0)  # the gaps are compared at full counts alone
    result = asyncio.run(measure(settled, swaps=swaps, streams=8, quiet_seconds=quiet_seconds))
    assert {k: result[k] for k in ("failed", "truncated", "mixed_version")} == {
        "failed": 0, "truncated": 0, "mixed_version": 0,
    }, result["errors"]  # fmt: skip
    assert result["requests"] > (50 if FULL else 10), "each of ten clients asked, some again while versions changed"
    assert result["swaps"] == result["rollbacks"] == swaps
    assert result["reference"]["told_apart"] >= 4
    if FULL:
        assert result["gap"]["difference"] < 0.5
        assert result["seconds"]["follow"]["p99"] <= 1.0
        assert result["seconds"]["rollback"]["p50"] <= 1.0
        assert result["memory"]["after"] < 1.1 * result["memory"]["before"]


def test_an_experiment_splits_at_once_and_counts_its_exposures(settled: System, tmp_path: Path) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_text("id: half\nunit: user\narms: {teacher: 0.5, student: 0.5}\n"
                    "primary: {kpi: first_response_correct, test: non_inferiority, margin: 0.02}\n"
                    "stop: {alpha: 0.05, planned_units: 1000}\n", "utf-8")  # fmt: skip
    users = tmp_path / "users.txt"
    users.write_text("".join(f"用户-{n}\n" for n in range(20)), "utf-8")
    assert understudy(settled.state, "experiment", "apply", str(file)).returncode == 0
    offline = subprocess.run(
        [sys.executable, "-m", "understudy", "experiment", "assign", str(file), "--units", str(users)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    expected = {row["unit"]: row["arm"] for row in map(json.loads, offline.stdout.splitlines())}
    try:
        eventually(lambda: arm_and_experiment(settled, "probe", "1")[1] == "half", 60, "the gateway's new epoch")
        seen = {user: arm_and_experiment(settled, user) for user in expected}
        assert seen == {user: (arm, "half") for user, arm in expected.items()}
        wanted = {arm: list(expected.values()).count(arm) for arm in ("teacher", "student")}

        def counted() -> bool:
            arms = json.loads(understudy(settled.state, "experiment", "results", "half", "--json").stdout)["arms"]
            return {arm: row["units"] for arm, row in arms.items()} == wanted

        eventually(counted, 180, f"{wanted} exposures")
    finally:
        assert understudy(settled.state, "experiment", "stop", "half").returncode == 0
    eventually(lambda: arm_and_experiment(settled, "用户-1")[1] is None, 60, "the end of the experiment")


def arm_and_experiment(system: System, user: str, no_capture: str = "0") -> tuple[str, str | None]:
    """The arm that answers a user of `auto`, and the experiment that decided."""
    headers = {"x-understudy-no-capture": no_capture}
    body = {"model": "auto", "user": user, "max_tokens": 2, "messages": [{"role": "user", "content": "Hello"}]}
    answer = httpx.post(f"{system.gateway}/v1/chat/completions", json=body, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-understudy-arm"], answer.headers.get("x-understudy-experiment")


def test_an_unknown_version_is_refused_with_a_clear_error(settled: System) -> None:
    done = understudy(settled.state, "promote", "v999")
    assert done.returncode == 1
    assert "v999" in done.stderr
    with pytest.raises(openai.NotFoundError, match="v999"):
        ask(settled, "student:v999")
