"""Beats in files grow old by time that passes: neither their writer's wall clock nor their reader's matters."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.routing.beats import EXPIRY
from deploy.routing.beats_file import FileBeats
from tests.deploy.fleet import Time
from tests.deploy.routing.samples import gateway_beat, slot_beat

HOUR = 3600.0


class Machine:
    """Its wall clock, what passed since its start, and its users of the folder that machines share."""

    def __init__(self, folder: Path, boot: str, wall: float = 1_800_000_000.0, passed: float = 500.0) -> None:
        self.wall, self.passed = Time(wall), Time(passed)
        self._folder, self._boot = folder, boot

    def open(self) -> FileBeats:
        return FileBeats(self._folder, self.wall, self.passed, lambda: self._boot)

    def wait(self, seconds: float) -> None:
        self.wall.at += seconds
        self.passed.at += seconds

    def report(self) -> None:
        self.open().report_slot(slot_beat(at=self.wall.at))
        self.open().report_gateway(gateway_beat(at=self.wall.at))


def heard(beats: FileBeats) -> list[str]:
    return [*beats.slots(), *beats.gateways()]


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
@pytest.mark.parametrize("first_sight", [True, False])
def test_a_set_clock_neither_silences_nor_keeps_anybody_of_this_machine(
    tmp_path: Path, jump: float, first_sight: bool
) -> None:
    here = Machine(tmp_path, "this boot")
    beats = here.open()
    here.report()
    assert heard(beats) == ["student-a", "g1"]
    here.wall.at += jump
    if first_sight:
        beats = here.open()
    assert heard(beats) == ["student-a", "g1"]
    here.passed.at += EXPIRY + 0.1
    assert heard(beats) == []
    here.report()
    assert heard(beats) == ["student-a", "g1"]


@pytest.mark.parametrize("boots", [("one boot", "another"), ("", "")])
@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_what_another_machine_reports_counts_while_it_changes(
    tmp_path: Path, jump: float, boots: tuple[str, str]
) -> None:
    here, there = Machine(tmp_path, boots[0]), Machine(tmp_path, boots[1], passed=90_000.0)
    beats = here.open()
    there.report()
    assert heard(beats) == ["student-a", "g1"], "at first sight the wall clocks agree"
    here.wall.at += jump
    here.wait(EXPIRY - 1)
    assert heard(beats) == ["student-a", "g1"]
    there.wait(1)
    there.report()
    here.wait(1)
    assert heard(beats) == ["student-a", "g1"]
    here.wait(EXPIRY + 0.1)
    assert heard(beats) == [], "it changes no more"


@pytest.mark.parametrize("apart", [HOUR, -HOUR, EXPIRY + 1])
def test_at_first_sight_another_machines_beat_counts_by_the_wall_clock_alone(tmp_path: Path, apart: float) -> None:
    here, there = Machine(tmp_path, "one boot"), Machine(tmp_path, "another", wall=1_800_000_000.0 + apart)
    there.report()
    beats = here.open()
    assert heard(beats) == []
    there.wait(1)
    there.report()
    here.wait(1)
    assert heard(beats) == ["student-a", "g1"], "it lives: the file changed"


def test_one_who_looks_seldom_does_not_take_an_old_change_for_a_new_one(tmp_path: Path) -> None:
    here, there = Machine(tmp_path, "one boot"), Machine(tmp_path, "another")
    beats = here.open()
    there.report()
    assert heard(beats) == ["student-a", "g1"]
    there.wait(1)
    there.report()
    here.wait(60)
    assert heard(beats) == []


def test_a_beat_of_an_earlier_boot_counts_for_nothing(tmp_path: Path) -> None:
    Machine(tmp_path, "before", passed=500.0).report()
    after = Machine(tmp_path, "this boot", passed=500.0)
    after.wall.at += 60
    assert heard(after.open()) == []


def test_what_an_earlier_release_wrote_counts_by_the_wall_clock(tmp_path: Path) -> None:
    here = Machine(tmp_path, "this boot")
    (tmp_path / "slots").mkdir()
    (tmp_path / "slots" / "student-a.json").write_text(slot_beat(at=here.wall.at).model_dump_json())
    assert heard(here.open()) == ["student-a"]
    here.wait(EXPIRY + 1)
    assert heard(here.open()) == []
