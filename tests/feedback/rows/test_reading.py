"""Every row once, wherever it moves while somebody reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from feedback.rows.files import RowFiles
from feedback.rows.reading import every_row, tenants
from feedback.rows.spilling import RowBounds, Spill
from tests.feedback.applying import KEYS, Applier
from tests.feedback.factory import exchange
from understudy.errors import Unavailable

pytest.importorskip("duckdb")
USERS = 900
"""More than Redis keeps in one page of a scan."""


@pytest.fixture
def files(tmp_path: Path) -> RowFiles:
    return RowFiles(tmp_path)


@pytest.fixture
def applier(redis_url: str, files: RowFiles) -> Applier:
    made = Applier(redis_url, files=files)
    made.events([exchange(n, unit=f"u{n}") for n in range(USERS)])
    return made


def spill(applier: Applier, files: RowFiles) -> None:
    Spill(applier.client, KEYS, files, RowBounds(1, 1 << 30, 1 << 30)).step()


def returned(applier: Applier, files: RowFiles) -> None:
    applier.events([exchange(n + USERS, unit=f"u{n}") for n in range(USERS)])


def both(applier: Applier, files: RowFiles) -> None:
    spill(applier, files)
    returned(applier, files)
    spill(applier, files)


@pytest.mark.parametrize("before", [None, spill, both])
@pytest.mark.parametrize("meanwhile", [spill, returned, both])
def test_a_row_that_moves_is_met_once(
    applier: Applier, files: RowFiles, before: Callable[..., None] | None, meanwhile: Callable[..., None]
) -> None:
    if before:
        before(applier, files)
    reading = every_row(applier.client, KEYS, files, "default")
    met = [next(reading)[0]]
    meanwhile(applier, files)
    met += [unit for unit, _ in reading]
    assert len(met) == len(set(met)) == USERS


def test_of_two_rows_of_a_unit_the_one_in_redis_stands(applier: Applier, files: RowFiles) -> None:
    spill(applier, files)
    returned(applier, files)
    rows = dict(every_row(applier.client, KEYS, files, "default"))
    assert rows == {unit.decode(): text for unit, text in applier.client.hgetall(f"{KEYS.rows}default").items()}
    assert tenants(applier.client, KEYS) == ["default"]


def test_without_the_files_it_is_said_rather_than_left_out(applier: Applier, files: RowFiles) -> None:
    spill(applier, files)
    with pytest.raises(Unavailable, match="cannot be read here"):
        list(every_row(applier.client, KEYS, None, "default"))
