"""The ledger finds what it looks for: lost, doubled, out of order, foreign, and what was never believed."""

from __future__ import annotations

import json
from pathlib import Path

from bench.faults.ledger import LoadLedger


def ledger(path: Path) -> LoadLedger:
    """Events 1 to 7 sent; 1 to 4 believed, 5 refused, 6 in memory when its gateway was killed, 7 on the way to it."""
    made = LoadLedger(path)
    for n in range(1, 8):
        made.sending(f"e{n}", "s", n)
    for n in range(1, 6):
        made.answered(f"e{n}", n < 5, n / 1000)
    made.killed(["e6", "e7"], at=100.0)
    made.taken("e6", at=99.97)  # read from its pipe later
    return made


def test_all_well(tmp_path: Path) -> None:
    account = ledger(tmp_path / "l").judge({f"e{n}": 1 for n in range(1, 5)}, {"s": [1, 2, 3, 4]})
    assert (account.acknowledged, account.refused, account.unspooled, account.unsent) == (4, 1, 1, 1)
    assert (account.lost, account.doubled, account.out_of_order, account.foreign) == (0, 0, 0, 0)
    assert account.unspooled_ms == {"p50": 30.0, "p99": 30.0, "max": 30.0}
    assert account.commit_ms == {"p50": 3.0, "p99": 4.0, "max": 4.0}


def test_each_fault_is_found(tmp_path: Path) -> None:
    account = ledger(tmp_path / "l").judge({"e1": 1, "e2": 3, "e4": 1, "e9": 1}, {"s": [1, 4, 2, 2], "t": [3]})
    assert (account.lost, account.doubled, account.out_of_order, account.foreign) == (1, 2, 2, 1)


def test_what_was_never_answered_may_have_had_its_effects(tmp_path: Path) -> None:
    account = ledger(tmp_path / "l").judge({f"e{n}": 1 for n in (1, 2, 3, 4, 6)}, {})
    assert (account.lost, account.unspooled) == (0, 0)


def test_an_event_is_written_down_before_it_goes_out(tmp_path: Path) -> None:
    made = ledger(tmp_path / "l")
    lines = [json.loads(line) for line in (tmp_path / "l").read_text().splitlines()]
    assert [next(iter(line)) for line in lines] == ["send"] * 7 + ["answer"] * 5 + ["killed"] * 2 + ["taken"]
    made.close()
