"""What every audit log promises; a further one is one more entry of `PLACES`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.audit.chain import START, ChainHead
from deploy.audit.log import AuditLog
from deploy.audit.log_file import FileAuditLog
from tests.deploy.fleet import Time
from understudy.errors import BadRequest, IntegrityError, Unavailable


class Files:
    """`open` gives a further user, `close` takes the place away, `forge` changes who did what entry `n` tells."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        folder: Path = request.getfixturevalue("tmp_path")
        self._path = folder / "audit.jsonl"
        self._away = folder / "away"
        self.now = Time()

    def open(self) -> AuditLog:
        return FileAuditLog(self._path, self.now)

    def close(self) -> None:
        self._path.rename(self._away)
        self._path.mkdir()

    def reopen(self) -> None:
        self._path.rmdir()
        self._away.rename(self._path)

    def forge(self, n: int) -> None:
        lines = self._path.read_text("utf-8").splitlines()
        lines[n - 1] = json.dumps({**json.loads(lines[n - 1]), "actor": "somebody else"})
        self._path.write_text("\n".join(lines) + "\n")


Place = Files
PLACES: dict[str, Callable[[pytest.FixtureRequest], Place]] = {"files": Files}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    return PLACES[request.param](request)


def told(log: AuditLog) -> list[tuple[int, str, str]]:
    return [(entry["n"], entry["action"], entry["actor"]) for entry in log.entries()]


def test_before_the_first_entry_there_is_none(place: Place) -> None:
    assert list(place.open().entries()) == []
    assert place.open().verify() == ChainHead(0, START)
    assert place.open().settle(), "nothing is kept back"


def test_what_one_user_appends_others_read_and_follow(place: Place) -> None:
    first, second = place.open(), place.open()
    entry = first.append("begun", "测试", why="因为", at_all=None)
    assert (entry["n"], entry["at"], entry["details"]) == (1, place.now.at, {"why": "因为", "at_all": None})
    second.append("ended", "another")
    last = first.append("begun", "测试")
    assert told(place.open()) == [(1, "begun", "测试"), (2, "ended", "another"), (3, "begun", "测试")]
    assert [e["n"] for e in place.open().entries(after=1)] == [2, 3]
    assert place.open().verify() == ChainHead(3, last["hash"])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_changed_entry_is_named(place: Place, n: int) -> None:
    log = place.open()
    for _ in range(3):
        log.append("something", "test")
    place.forge(n)
    with pytest.raises(IntegrityError, match=f"line {n} was changed"):
        place.open().verify()


def test_what_can_wait_is_refused_while_the_place_is_away(place: Place) -> None:
    log = place.open()
    log.append("first", "test")
    place.close()
    with pytest.raises(Unavailable, match="cannot be written"):
        log.append("refused", "test")
    assert log.trouble == "", "nothing is kept back"
    place.reopen()
    assert log.settle()
    assert told(log) == [(1, "first", "test")]


def test_what_must_happen_is_kept_and_comes_first_later(place: Place) -> None:
    log = place.open()
    log.append("first", "test")
    place.close()
    log.keep("brake", "test", why="因为")
    assert "cannot be written" in log.trouble
    with pytest.raises(Unavailable):
        log.append("refused", "test")
    assert not log.settle()
    place.reopen()
    place.now.at += 60
    assert log.append("later", "test")["n"] == 3
    assert [(e["action"], e["at"]) for e in log.entries()] == [
        ("first", place.now.at - 60), ("brake", place.now.at - 60), ("later", place.now.at),
    ]  # fmt: skip
    assert log.trouble == ""
    assert log.verify().entries == 3


def test_an_entry_that_is_too_long_is_refused_and_leaves_no_trace(place: Place) -> None:
    log = place.open()
    with pytest.raises(BadRequest, match="essay is above"):
        log.append("essay", "test", text="x" * (1 << 20))
    assert log.append("next", "test")["n"] == 1
