"""Members of a crew as processes: who dies is replaced, who is told to stop does, in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.waiting import LONG, eventually

ROOT = Path(__file__).resolve().parents[3]
PLAY = """
import logging, mmap, os, signal, sys, time
from functools import partial
from pathlib import Path
from serving.crew.keeper import Keeper, Member
from serving.up.supervise.restarts import Policy
from understudy.errors import ConfigError

folder = Path(sys.argv[1])
logging.basicConfig(level=logging.INFO)
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where whoever runs the tests ignores it

def note(line):
    with (folder / "notes").open("a") as file:
        file.write(line + "\\n")

def works(name):
    def end(number, frame):
        note(f"{name} told")
        os._exit(0)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGUSR1, lambda number, frame: note(f"{name} listens"))
    note(f"{name} begins")
    (folder / name).write_text(str(os.getpid()))  # last, since it is killed as soon as that is read
    while True:
        time.sleep(60)

def stubborn(name):
    signal.signal(signal.SIGTERM, lambda number, frame: note(f"{name} told"))
    signal.signal(signal.SIGQUIT, lambda number, frame: note(f"{name} hurried"))
    (folder / name).write_text(str(os.getpid()))
    while True:
        time.sleep(60)

beats = mmap.mmap(-1, 1)

def hangs(name):
    note(f"{name} begins")
    (folder / name).write_text(str(os.getpid()))  # last, since it is killed as soon as that is read
    for beat in range(250 if (folder / "well").exists() else 2):
        beats[0] = (beats[0] + 1) % 256
        time.sleep(0.1)
    while True:
        time.sleep(60)

def mute(name):
    note(f"{name} begins")
    (folder / name).write_text(str(os.getpid()))  # last, since it is killed as soon as that is read
    while True:
        time.sleep(60)

def refuses(name):
    note(f"{name} begins")
    raise ConfigError("set this and that")

MEMBERS = {
    "one": Member("one", partial(works, "one"), gone=lambda how: note(f"one gone: {how}")),
    "two": Member("two", partial(works, "two")),
    "later": Member("later", partial(works, "later"), wave=1),
    "stubborn": Member("stubborn", partial(stubborn, "stubborn")),
    "hangs": Member("hangs", partial(hangs, "hangs"), gone=lambda how: note(how), beats=lambda: beats[0]),
    "mute": Member("mute", partial(mute, "mute"), gone=lambda how: note(how), beats=lambda: 0),
    "refuses": Member("refuses", partial(refuses, "refuses")),
}
proven = folder / "works"
members = [MEMBERS[name] for name in sys.argv[3:]]
beginning = 3 if "mute" in sys.argv else 60
sys.exit(Keeper(members, Policy(0.01, 0.05, 60.0), float(sys.argv[2]), proven.exists, 2, beginning).run())
"""


class Play:
    """A keeper in a process of its own, with members that write down what befalls them."""

    def __init__(self, folder: Path, seconds: float, members: tuple[str, ...]) -> None:
        self.folder = folder
        self._log = folder / "log"
        command = [sys.executable, "-c", PLAY, str(folder), str(seconds), *members]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=log)

    @property
    def notes(self) -> list[str]:
        file = self.folder / "notes"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def log(self) -> str:
        return self._log.read_text()

    def pid(self, name: str, other_than: int = 0) -> int:
        """Process id of a member, once it is at work."""
        eventually(lambda: int((self.folder / name).read_text()) != other_than)
        return int((self.folder / name).read_text())

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(LONG)


Start = Callable[..., Play]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    made: list[Play] = []

    def begin(*members: str, seconds: float = 30.0) -> Play:
        made.append(Play(tmp_path, seconds, members))
        return made[-1]

    yield begin
    for play in made:
        play.process.kill()
        play.process.wait(LONG)


def test_a_killed_member_is_forked_anew_once_it_is_said_to_be_gone_and_no_other_notices(start: Start) -> None:
    play = start("one", "two")
    first, other = play.pid("one"), play.pid("two")
    for _ in range(3):
        os.kill(first, signal.SIGKILL)
        first = play.pid("one", other_than=first)
    assert play.pid("two") == other
    eventually(lambda: play.notes.count("one begins") == 4)
    assert [note for note in play.notes if note.startswith("one")] == [
        "one begins", *["one gone: killed", "one begins"] * 3,
    ]  # fmt: skip
    assert "one was killed (signal 9)" in play.log
    assert play.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_each_wave_is_told_once_the_one_before_is_gone(start: Start, number: int) -> None:
    play = start("later", "one", "two")
    for name in ("one", "two", "later"):
        play.pid(name)
    assert play.end(number) == 0
    told = [note for note in play.notes if note.endswith("told")]
    assert (sorted(told[:2]), told[2:]) == (["one told", "two told"], ["later told"])
    assert play.notes.index("one gone: stopped") < play.notes.index("later told")


def test_the_terminals_own_interrupt_reaches_the_keeper_alone(start: Start) -> None:
    play = start("one")
    os.kill(play.pid("one"), signal.SIGINT)
    os.kill(play.pid("one"), signal.SIGUSR1)
    eventually(lambda: "one listens" in play.notes)
    assert play.end() == 0
    assert play.notes == ["one begins", "one listens", "one told", "one gone: stopped"]
    assert "KeyboardInterrupt" not in play.log


def test_who_does_not_end_is_killed_and_asked_twice_to_stop_members_are_hurried(start: Start) -> None:
    play = start("stubborn", seconds=60.0)
    member = play.pid("stubborn")
    play.process.terminate()
    eventually(lambda: play.notes == ["stubborn told"])
    play.process.terminate()
    eventually(lambda: play.notes == ["stubborn told", "stubborn hurried"])
    os.kill(member, signal.SIGKILL)
    assert play.process.wait(LONG) == 0

    play = start("stubborn", seconds=0.1)
    play.pid("stubborn", other_than=member)
    assert play.end() == 0
    assert "does not end: killed" in play.log


def test_one_that_cannot_begin_ends_all_with_its_code_and_its_words(start: Start) -> None:
    play = start("one", "refuses")
    assert play.process.wait(LONG) == 2
    assert "understudy: set this and that" in play.log
    assert play.notes.count("refuses begins") == 1


def test_once_any_has_worked_one_that_cannot_begin_is_tried_again(start: Start, tmp_path: Path) -> None:
    (tmp_path / "works").touch()
    play = start("one", "refuses")
    member = play.pid("one")
    eventually(lambda: play.notes.count("refuses begins") > 3)
    assert (play.pid("one"), play.notes.count("one begins")) == (member, 1)
    assert "refuses ended with code 2, starts again in" in play.log
    assert play.end() == 0


def test_one_that_shows_no_sign_of_life_is_killed_and_forked_anew_and_those_without_any_are_left_alone(
    start: Start, tmp_path: Path
) -> None:
    play = start("hangs", "one")
    first, other = play.pid("hangs"), play.pid("one")
    (tmp_path / "well").touch()
    second = play.pid("hangs", other_than=first)
    assert [note for note in play.notes if "one" not in note] == ["hangs begins", "hung", "hangs begins"]
    assert "hangs has shown no sign of life for 2 s: killed" in play.log
    assert (play.pid("hangs"), play.pid("one")) == (second, other)
    os.kill(second, signal.SIGKILL)
    play.pid("hangs", other_than=second)
    assert play.notes.count("killed") == 1


def test_one_that_never_begins_to_beat_is_killed_and_forked_anew(start: Start) -> None:
    play = start("mute", "one")
    first, other = play.pid("mute"), play.pid("one")
    play.pid("mute", other_than=first)
    assert [note for note in play.notes if "one" not in note][:3] == ["mute begins", "hung", "mute begins"]
    assert "mute has shown no sign of life for 3 s: killed" in play.log
    assert play.pid("one") == other


def test_members_of_a_killed_keeper_are_gone_with_it_whatever_they_do(start: Start) -> None:
    play = start("one", "stubborn")
    members = [psutil.Process(play.pid(name)) for name in ("one", "stubborn")]
    play.end(signal.SIGKILL)
    eventually(lambda: not any(alive(member) for member in members))
    assert [note for note in play.notes if note.endswith("told")] == []


def alive(process: psutil.Process) -> bool:
    """Whether a process does anything."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
