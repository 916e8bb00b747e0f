"""The clock of deadlines over restarts of the controller and of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.life.kept.elapsed import NOTE, Elapsed
from tests.deploy.fleet import Time


def started(folder: Path, at: Time, boot: str = "one") -> Elapsed:
    made = Elapsed(folder / "elapsed.json", at, lambda: boot)
    made.note()
    return made


def test_it_goes_on_while_no_controller_runs(tmp_path: Path) -> None:
    uptime = Time(500.0)
    first = started(tmp_path, uptime)
    uptime.at += 4
    assert first() == pytest.approx(4)
    uptime.at += 60
    assert started(tmp_path, uptime)() == pytest.approx(64)


@pytest.mark.parametrize("boot", ["two", ""])
def test_after_a_restart_of_the_machine_it_goes_on_where_it_was_noted(tmp_path: Path, boot: str) -> None:
    uptime = Time(500.0)
    first = started(tmp_path, uptime)
    uptime.at += NOTE
    first.note()
    assert started(tmp_path, Time(3.0), boot)() == pytest.approx(NOTE)


def test_it_never_stands_before_a_time_that_was_written_down(tmp_path: Path) -> None:
    made = started(tmp_path, Time(500.0))
    made.at_least(100.0)
    made.at_least(50.0)
    assert made() == pytest.approx(100)


@pytest.mark.parametrize("text", ["", "{", '{"boot": "one"}', "\udcff"])
def test_a_note_that_cannot_be_read_begins_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "elapsed.json").write_text(text, "utf-8", errors="surrogateescape")
    assert started(tmp_path, Time(500.0))() == 0.0


def test_a_place_that_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "elapsed.json").mkdir()
    uptime = Time(500.0)
    made = started(tmp_path, uptime)
    uptime.at += 2 * NOTE
    made.note()
    assert made() == pytest.approx(2 * NOTE)
