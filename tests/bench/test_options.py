"""What benchmarks share: the folder in which one works."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.options import folder_of


def test_a_folder_that_was_given_stays_and_a_temporary_one_goes_whatever_happens(tmp_path: Path) -> None:
    given = tmp_path / "a" / "b"
    with folder_of(given, "x") as folder:
        (folder / "kept").touch()
    assert (given / "kept").exists()
    made: list[Path] = []

    def fail() -> None:
        with folder_of(None, "x") as folder:
            made.append(folder)
            (folder / "state").touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    (folder,) = made
    assert (folder.name.startswith("understudy-x-"), folder.exists()) == (True, False)
