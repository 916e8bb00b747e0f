"""docs/your-models.md, way 2, pasted command by command: a teacher, a cut of it that learns, real engines."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.onboard.terminal import Terminal, blocks
from tests.waiting import eventually

pytestmark = [pytest.mark.engines, pytest.mark.timeout(540)]
ARMS = ("teacher", "auto", "student")
TWO = "2 A folder for the teacher and no student"


@pytest.fixture
def terminal(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Terminal]:
    """With a teacher of ten layers, and 60 dialogues unless a test asks for more."""
    few = {"UNDERSTUDY_TRAINER__LEARNING_RATE": "2e-3"}  # a round of a few short texts has a few steps
    made = Terminal(tmp_path, layers=10, dialogues=getattr(request, "param", 60), **few)
    yield made
    made.stop()


def test_a_teacher_alone_gets_a_student_that_learns_and_answers_nobody(terminal: Terminal) -> None:
    said = [terminal.type(language, text) for language, text in blocks(TWO)]
    assert "v1 registered, unfit: 8 of 10 layers of t1" in said[0]
    arms = {line.split()[0]: line for line in said[2].splitlines() if line.split()[:1] and line.split()[0] in ARMS}
    assert arms["student"].startswith("student 503")
    assert "v1 is not fit yet" in arms["student"]
    assert not any("503" in arms[arm] for arm in ("teacher", "auto"))
    models = {row["id"] for row in httpx.get(f"{terminal.gateway}/v1/models", timeout=60).json()["data"]}
    assert "teacher" in models
    assert not models & {"student", "student:v1"}
    status = terminal.status()
    assert (status["live"]["teacher"], status["live"]["student"]) == ("t1", None)
    assert (status["unfit"]["version"], status["unfit"]["note"]) == ("v1", "unfit: 8 of 10 layers of t1")
    eventually(lambda: terminal.status()["pool"]["size"] > 0, 120, "answers of it to copies")
    assert "v1 (unfit: 8 of 10 layers of t1) learns and answers nobody" in said[4]
    eventually(terminal.rounds, 60, "a round")
    assert (terminal.rounds()[0]["parent"], terminal.rounds()[0]["state"] == "failed") == ("v1", False)


FIT = 0.3
"""Share of tokens that counts as fit here: random weights of 64 dimensions are no language to be learned."""


@pytest.mark.skipif(not os.environ.get("UNDERSTUDY_FULL"), reason="a full turn takes minutes; UNDERSTUDY_FULL=1")
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("terminal", [400], indirect=True)
def test_an_unfit_student_becomes_fit_goes_live_and_is_taken_back(terminal: Terminal) -> None:
    terminal.env |= {"UNDERSTUDY_SHADOW__TO_STUDENT": "1.0", "UNDERSTUDY_GATE__FIT_AGREEMENT": str(FIT)}
    terminal.env |= {"UNDERSTUDY_GATE__FIT_ROWS": "20"}
    pages = blocks(TWO)
    terminal.type(*pages[0])
    file = terminal.folder / "understudy.yaml"
    step = "steps: [{share: 1.0, min_exposures: 20}]\n\nup:"
    text = re.sub(r"^gate:.*?\n\n", "", file.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    file.write_text(re.sub(r"^  steps:.*?\n\nup:", f"  {step}", text, flags=re.MULTILINE | re.DOTALL))
    terminal.type(*pages[1])
    for _ in range(8):
        terminal.type(*pages[3])
        began = len(terminal.rounds())
        terminal.command(["understudy", "rounds", "start"])
        eventually(lambda seen=began: len(terminal.rounds()) > seen, 60, "a round")
        eventually(lambda: is_over(terminal, pages[3]), 500, "its end")
        assert terminal.rounds()[0]["state"] != "failed", terminal.rounds()[0]
        if terminal.rounds()[0]["state"] in ("canary", "live", "done"):
            break
    terminal.type(*pages[3])
    eventually(lambda: terminal.status()["live"]["student"], 300, "a student that is live")
    live, learned = terminal.status()["live"]["student"], terminal.rounds()[0]["parent"]
    ask = {"model": "student", "max_tokens": 4, "messages": [{"role": "user", "content": "Hello"}]}
    answer = httpx.post(f"{terminal.gateway}/v1/chat/completions", json=ask, timeout=60)
    assert answer.headers["x-understudy-version"] == live
    terminal.command(["understudy", "rollback"])
    status = terminal.status()
    assert (status["live"]["student"], status["unfit"]["version"]) == (None, learned)
    assert httpx.post(f"{terminal.gateway}/v1/chat/completions", json=ask, timeout=60).status_code == 503


def is_over(terminal: Terminal, traffic: tuple[str, str]) -> bool:
    """Whether the round is, at least up to its canary; one that waits for rows gets more traffic."""
    state = terminal.rounds()[0]["state"]
    if state == "select":
        terminal.type(*traffic)
    return state not in BEFORE_CANARY


BEFORE_CANARY = ("select", "score", "distil", "export", "evaluate", "register", "gate")
