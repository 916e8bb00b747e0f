"""The reserve: whole files come out of it, one write a piece, and nothing is torn when it is empty."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from understudy.files import write_atomic
from understudy.reserve import DiskReserve


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """New files get no room."""

    def refuse(**_: object) -> tuple[int, str]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.mkstemp", refuse)


@pytest.mark.usefixtures("full")
def test_each_write_spends_a_piece_until_none_is_left(tmp_path: Path) -> None:
    reserve, target = DiskReserve(tmp_path / "reserve", pieces=2, size=4096), tmp_path / "状态.json"
    assert reserve.refill() == 2
    with pytest.raises(OSError, match="No space left"):
        write_atomic(target, "no reserve is spent unasked")
    with reserve.spending():
        for text in ("一", "二"):
            write_atomic(target, text)
            assert target.read_text("utf-8") == text
        with pytest.raises(OSError, match="No space left"):
            write_atomic(target, "三")
    assert target.read_text("utf-8") == "二"
    assert reserve.refill() == 2


@pytest.mark.usefixtures("full")
def test_what_is_longer_than_a_piece_is_refused_whole(tmp_path: Path) -> None:
    reserve = DiskReserve(tmp_path / "reserve", pieces=1, size=4096)
    reserve.refill()
    with reserve.spending(), pytest.raises(OSError, match="No space left"):
        write_atomic(tmp_path / "x", b"x" * 5000)
    assert reserve.give_room()
    assert not reserve.give_room()
