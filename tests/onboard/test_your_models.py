"""docs/your-models.md, way 1, pasted command by command: two folders, real engines, a real client, a round."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.onboard.terminal import Terminal, blocks
from tests.waiting import eventually

pytestmark = [pytest.mark.engines, pytest.mark.timeout(540)]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path)
    yield made
    made.stop()


def test_two_folders_become_a_loop_by_the_page_alone(terminal: Terminal) -> None:
    said = [terminal.type(language, text) for language, text in blocks("1 Two Hugging Face folders")]
    assert "three engines" in said[0]
    assert said[1].split("\n")[:2] == ["t1 registered", "v1 registered"]
    models = httpx.get(f"{terminal.gateway}/v1/models", timeout=60).json()["data"]
    assert {"auto", "teacher", "student", "student:v1"} <= {row["id"] for row in models}
    arms = [line.split()[:2] for line in said[4].splitlines() if line.split()[:1] and line.split()[0] in ARMS]
    assert [arm for arm, _ in arms] == list(ARMS)
    eventually(lambda: terminal.rounds()[:1] and terminal.rounds()[0]["state"] != "select", 120, "a round's targets")
    assert terminal.rounds()[0]["state"] != "failed", terminal.rounds()
    assert {"select"} <= terminal.rounds()[0]["stages"].keys()
    status = terminal.status()
    assert (status["live"]["teacher"], status["live"]["student"]) == ("t1", "v1")
    eventually(lambda: terminal.status()["pool"]["size"] > 0, 120, "samples")

    def all_ready() -> bool:
        """An agent may be silent for a moment."""
        slots = {name: (slot["version"], slot["ready"]) for name, slot in terminal.status()["slots"].items()}
        return slots["teacher"] == ("t1", True) and ("v1", True) in slots.values()

    eventually(all_ready, 60, "both versions ready")


ARMS = ("teacher", "student", "auto")
