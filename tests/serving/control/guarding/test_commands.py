"""The commands that change the guard, against the real routes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from deploy.routing.guarding import GuardRules, system_hash
from serving.control.client import Refused
from serving.control.guarding import commands
from serving.control.sources import Sources
from tests.deploy.fleet import World
from tests.feedback.factory import exchange
from tests.serving.control.conftest import Said, saying
from understudy.errors import UsageError


@pytest.fixture
def said(reached: str, capsys: pytest.CaptureFixture[str]) -> Said:
    return saying(commands, capsys)


def test_a_user_is_let_through_again(said: Said) -> None:
    assert said("release", "0123456789abcdef0123") == "0123456789abcdef0123 is let through again"


def test_modes_and_thresholds_are_set_and_taken_back(said: Said, world: World) -> None:
    assert "mode of shop observe" in said("set_", "--mode", "observe", "--tenant", "shop")
    assert "degrade 4.5" in said("set_", "--degrade", "4.5", "--why", "launch")
    assert world.conductor.document is not None
    assert world.conductor.document.guard == GuardRules(tenants={"shop": "observe"}, degrade=4.5)
    said("set_", "--mode", "default", "--tenant", "shop")
    assert said("set_", "--degrade", "default").endswith("nothing")


def test_an_exception_is_made_of_a_system_message_and_ended(said: Said, tmp_path: Path) -> None:
    file = tmp_path / "system.txt"
    file.write_text("You tell of riddles.\n", "utf-8")
    made = json.loads(said("set_", "--allow", "--system", str(file), "--days", "3", "--json"))
    assert made["rules"]["allow"][0]["system"] == system_hash(["You tell of riddles."])
    again = said("set_", "--allow", "--user", "ada", "--tenant", "shop", "--why", "a riddle")
    assert made["rule"] in again
    assert again.endswith(": a riddle")
    said("set_", "--end", made["rule"])
    with pytest.raises(Refused, match="no rule"):
        said("set_", "--end", made["rule"])


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--allow"], "--allow needs"),
        (["--user", "ada"], "add --allow"),
        (["--days", "3", "--mode", "off"], "add --allow"),
        (["--allow", "--tenant", "shop", "--mode", "off"], "one after the other"),
        (["--flag", "much"], "no score"),
        (["--allow", "--system", "/nowhere/at/all"], "holds the system message"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(said: Said, words: list[str], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        said("set_", *words)


def test_flagged_requests_are_listed_shown_and_marked(said: Said, sources: Sources) -> None:
    assert said("flagged", "list") == "nothing is kept"
    texts = [{"role": "user", "content": "Tell me of jailbreaks."}]
    note = {"flagged": True, "guard_stage": "model", "guard_score": 1.5, "guard_user": "0123456789abcdef0123"}
    sources.flagged().keep(exchange(1, messages=texts, **note), time.time())
    line = said("flagged", "list")
    assert "flag  model 1.50  teacher t1" in line
    page = said("flagged", "show", line[:6])
    assert "user: Tell me of jailbreaks." in page
    assert "0123456789abcdef0123" in page
    told = said("flagged", "mark", line[:6], "good", "--days", "3")
    assert "is marked good; 0123456789abcdef0123 is let through again; exception" in told
    assert said("flagged", "list").endswith("good")
    assert said("flagged", "list", "--appeals") == "nothing is kept"
    for words in (["show"], ["mark", line[:6]]):
        with pytest.raises(UsageError, match="needs an ID"):
            said("flagged", *words)
