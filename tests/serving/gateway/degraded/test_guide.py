"""The code that the guide shows to application developers does what the guide says of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serving.gateway.guarding.watch import GuardWatch
from serving.guard.config import GuardConfig
from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.upstream import Engine
from tests.serving.guard.words import ATTACK, HARMLESS, WordModel

GUIDE = Path(__file__).parents[4] / "docs" / "guide.md"
Serve = Callable[..., Running]


@pytest.fixture
def shown(
    serve: Serve, engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> tuple[Running, dict[str, Any]]:
    """A guarded gateway, and the names that the guide's code makes beside it."""
    running = serve(document({"teacher": engine("teacher")}))
    config = GuardConfig.model_validate({"mode": "enforce", "deadline_ms": 10_000})
    running.gateway.guard = GuardWatch(config, WordModel())
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{running.port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    code = re.search(r"test_guide.py -->\n```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    exec(code[1], names)
    return running, names


def test_a_degraded_turn_is_told_dropped_and_appealed(shown: tuple[Running, dict[str, Any]]) -> None:
    running, names = shown
    history: list[dict[str, str]] = []
    said = names["ask"](history, ATTACK, "ada")
    assert said.startswith("(guard, chatcmpl-")
    assert history == []
    assert not names["ask"](history, HARMLESS, "ada").startswith("(")
    assert [turn["role"] for turn in history] == ["user", "assistant"]
    names["appeal"](said.split()[1].rstrip(")"))
    (appeal,) = running.spool.events
    degraded, served = running.spool.exchanges
    assert (appeal.kpi, appeal.target) == ("false_positive", degraded.response_id)
    assert (degraded.degraded, served.degraded) == ("guard", "")
    names["client"].close()
