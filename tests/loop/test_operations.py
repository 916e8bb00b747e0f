"""What an operator does to a running system, on real engines: swap, roll back, and what must not go live."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys

import httpx
import openai
import pytest

from bench.swap import measure
from bench.system import ROOT, System

pytestmark = [pytest.mark.loop, pytest.mark.timeout(1800)]


def understudy(system: System, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "understudy", *words, "--state", str(system.state)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def ask(system: System, model: str, text: str = "我的订单什么时候到？") -> openai.types.chat.ChatCompletion:
    client = openai.OpenAI(base_url=f"{system.gateway}/v1", api_key="any", max_retries=0)
    return client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}], max_tokens=24, temperature=0
    )


def test_rollback_from_a_second_terminal_brings_back_the_previous_version(settled: System) -> None:
    before = settled.status()
    previous = before["previous"][0]
    done = understudy(settled, "rollback", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["from"], answer["to"]) == (before["live"]["student"], previous)
    assert answer["epoch"] > before["epoch"]
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
    understudy(settled, "rollback")
    assert "promotion" in settled.status()["frozen"]
    assert understudy(settled, "resume", "promotion").returncode == 0
    assert "promotion" not in settled.status()["frozen"]


def test_swaps_and_rollbacks_under_streams_fail_cut_and_mix_nothing(settled: System) -> None:
    swaps = 200 if os.environ.get("UNDERSTUDY_FULL") else 3
    result = asyncio.run(measure(settled, swaps=swaps, streams=8))
    assert {k: result[k] for k in ("failed", "truncated", "mixed_version")} == {
        "failed": 0, "truncated": 0, "mixed_version": 0,
    }, result["errors"]  # fmt: skip
    assert result["requests"] > 50
    assert result["swaps"] == result["rollbacks"] == swaps


def test_an_unknown_version_is_refused_with_a_clear_error(settled: System) -> None:
    done = understudy(settled, "promote", "v999")
    assert done.returncode == 1
    assert "v999" in done.stderr
    with pytest.raises(openai.NotFoundError, match="v999"):
        ask(settled, "student:v999")
