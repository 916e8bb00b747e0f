"""docs/your-models.md, way 3, pasted: an API with a key teaches a student of one's own, and the key is nowhere.

Real processes of every role; the API is played by a model of this machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from tests.leaks import command_lines, contents
from tests.onboard.terminal import Terminal, blocks
from tests.waiting import eventually, within_a_day
from trials.api import PlayedApi, played

pytestmark = [pytest.mark.engines, pytest.mark.timeout(540)]
KEY = "sk-3f9d-that-nobody-may-see"
SECTION = "3 An external API as teacher, a student of your own"
ENV = {
    "UNDERSTUDY_GATE__ON_FEW": "go",
    "UNDERSTUDY_TRAINER__BUDGET_SECONDS": "12",
    "UNDERSTUDY_SHADOW__TO_STUDENT": "1",
    "UNDERSTUDY_SHADOW__DEFAULT_TEMPERATURE": "0",
    "TEACHER_KEY": KEY,
}
PLACE = "https://api.example.com/v1"


@dataclass
class Taught:
    """A terminal whose teacher is an API."""

    terminal: Terminal
    api: PlayedApi

    def paste(self) -> list[str]:
        """Every block of the page; returns what each said."""
        said = []
        for language, text in blocks(SECTION):
            if not text.startswith("export "):  # the environment of the terminal
                said.append(self.terminal.type(language, text.replace(PLACE, self.api.url)))
        return said

    def ask(self, model: str) -> httpx.Response:
        body = {"model": model, "max_tokens": 4, "messages": [{"role": "user", "content": "Hello"}]}
        return httpx.post(f"{self.terminal.gateway}/v1/chat/completions", json=body, timeout=60, trust_env=False)


@pytest.fixture
def taught(tmp_path: Path) -> Iterator[Taught]:
    within_a_day(75)
    terminal = Terminal(tmp_path, **ENV)
    try:
        with played(tmp_path / "my-teacher", KEY) as api:
            api.longest = 10
            yield Taught(terminal, api)
    finally:
        terminal.stop()


def test_an_api_teaches_a_student_by_the_page_alone_and_its_key_is_nowhere(taught: Taught) -> None:
    terminal = taught.terminal
    said = taught.paste()
    assert said[0].startswith("v1 registered")
    assert "understudy.yaml written" in said[1]
    assert [line.split()[0] for line in said[3].splitlines() if line.split()][:1] == ["teacher"]
    assert "tokens  " in said[-1]
    eventually(lambda: terminal.status()["learning"].get("by") == "text", 150, "what the API gives")
    assert "by the teacher's text alone: the teacher tells no log-pro" in terminal.run(["understudy", "status"])
    eventually(lambda: "evaluate" in terminal.rounds()[0]["stages"] or terminal.rounds()[0]["ended"], 200, "a round")
    one = terminal.rounds()[-1]
    assert "evaluate" in one["stages"], one
    assert (one["teacher"], one["parent"], one["learned_by"]) == ("external", "v1", "text")
    assert one["stages"]["evaluate"]["summary"]["general"]["n"] > 0
    assert one["stages"]["distil"]["summary"]["steps"] > 0
    status = terminal.status()
    assert (status["live"]["teacher"], status["learning"]["by"]) == ("external", "text")
    spent = status["spending"]
    assert min(spent["primary"], spent["probes"]) > 0
    assert spent["scoring"] == 0  # text alone costs nothing more
    key_is_nowhere(taught, failing(taught))


def failing(taught: Taught) -> list[str]:
    """What clients are told while the API fails in every way that could repeat the key."""
    failures = [
        JSONResponse({"error": {"message": f"Incorrect API key provided: {KEY}"}}, 401),
        JSONResponse({"error": {"message": f"bad header Authorization: Bearer {KEY}"}}, 400),
        Response(f"<html>{KEY}", 500),
        Response('{"choices": [{"mess', 200, media_type="application/json"),
        JSONResponse({"error": {"message": "slow down"}}, 429, {"retry-after": "1"}),
    ]
    told = []
    for failure in failures:
        taught.api.failures = [failure] * 4  # the gateway may ask again, and a worker may take one
        told.append(taught.ask("teacher").text)
        taught.api.failures = []
    return told


def key_is_nowhere(taught: Taught, told: list[str]) -> None:
    """In no file, no reply, no command's answer and no command line."""
    terminal, secret = taught.terminal, KEY.encode()
    files = contents(terminal.folder)
    assert any(path.parent.name == "logs" for path in files)
    assert any("redis" in str(path) for path in files)
    assert [path for path, held in files.items() if secret in held] == []
    assert [text for text in told if KEY in text] == []
    shown = (["status", "--json"], ["rounds", "show", "--json"], ["audit", "show", "--json"], ["config", "show"])
    answers = [terminal.run(["understudy", *words]) for words in shown]
    assert [text for text in answers if KEY in text] == []
    doctor = terminal.run(["bash", "-c", "understudy doctor --config understudy.yaml --json; true"])
    assert "learns by the teacher's text alone" in json.dumps(json.loads(doctor)["notes"])
    assert KEY not in doctor
    assert terminal.up is not None
    lines = command_lines(terminal.up.pid)
    assert len(lines) > 4
    assert [line for line in lines if secret in line] == []
