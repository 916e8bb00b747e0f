"""The ledger finds what it looks for: lost, doubled, out of order, foreign, and what was never believed."""

from __future__ import annotations

import json
from pathlib import Path

from bench.faults.ledger import LoadLedger


def ledger(path: Path) -> LoadLedger:
    """Events 1 to 6 sent; 1 to 4 believed, 5 refused, 6 under way when its gateway was killed."""
    made = LoadLedger(path)
    for n in range(1, 7):
        made.sending(f"e{n}", "s", n)
    for n in range(1, 6):
        made.answered(f"e{n}", n < 5)
    made.killed(["e6"])
    return made


def test_all_well(tmp_path: Path) -> None:
    account = ledger(tmp_path / "l").judge({f"e{n}": 1 for n in range(1, 5)}, {"s": [1, 2, 3, 4]})
    assert (account.acknowledged, account.refused, account.unspooled) == (4, 1, 1)
    assert (account.lost, account.doubled, account.out_of_order, account.foreign) == (0, 0, 0, 0)
    assert account.unspooled_ms >= 0


def test_each_fault_is_found(tmp_path: Path) -> None:
    account = ledger(tmp_path / "l").judge({"e1": 1, "e2": 3, "e4": 1, "e9": 1}, {"s": [1, 4, 2, 2], "t": [3]})
    assert (account.lost, account.doubled, account.out_of_order, account.foreign) == (1, 2, 2, 1)


def test_what_was_never_answered_may_have_had_its_effects(tmp_path: Path) -> None:
    account = ledger(tmp_path / "l").judge({f"e{n}": 1 for n in (1, 2, 3, 4, 6)}, {})
    assert (account.lost, account.unspooled) == (0, 0)


def test_an_event_is_written_down_before_it_goes_out(tmp_path: Path) -> None:
    made = ledger(tmp_path / "l")
    lines = [json.loads(line) for line in (tmp_path / "l").read_text().splitlines()]
    assert [next(iter(line)) for line in lines] == ["send"] * 6 + ["answer"] * 5 + ["killed"]
    made.close()
