"""The chain of hashes: what follows what, and every kind of change that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from deploy.audit.chain import (
    BEFORE_THE_FIRST,
    START,
    ChainEntry,
    ChainHead,
    Deed,
    check,
    entry_hash,
    following,
    parse,
    to_line,
)
from deploy.audit.heads import signed_head
from deploy.registry.signing import Signer
from understudy.errors import IntegrityError


def chain(length: int) -> list[ChainEntry]:
    entries, last = [], BEFORE_THE_FIRST
    for number in range(length):
        last = following(last, Deed(1.5, "something", "测试", {"number": number, "why": "因为"}))
        entries.append(last)
    return entries


def swapped(entries: list[ChainEntry]) -> list[ChainEntry]:
    return [*entries[:2], entries[3], entries[2], *entries[4:]]


def without_third(entries: list[ChainEntry]) -> list[ChainEntry]:
    return [*entries[:2], *entries[3:]]


def doubled(entries: list[ChainEntry]) -> list[ChainEntry]:
    return [*entries[:3], *entries[2:]]


def renumbered(entries: list[ChainEntry]) -> list[ChainEntry]:
    """Hashed anew, so that the number alone is wrong."""
    third = {**entries[2], "n": 7}
    return [*entries[:2], {**third, "hash": entry_hash(third)}]


def test_an_unbroken_chain_has_a_length_and_a_head() -> None:
    entries = chain(5)
    assert check(entries, "log") == ChainHead(5, entries[-1]["hash"])
    assert check([], "log") == ChainHead(0, START)


@pytest.mark.parametrize("position", range(5))
@pytest.mark.parametrize("change", [{"actor": "somebody else"}, {"at": 2.5}, {"details": {}}, {"hash": "0" * 64}])
def test_a_changed_entry_is_named(position: int, change: ChainEntry) -> None:
    entries = chain(5)
    entries[position] = {**entries[position], **change}
    with pytest.raises(IntegrityError, match=f"log line {position + 1} was changed"):
        check(entries, "log")


@pytest.mark.parametrize("harm", [swapped, without_third, doubled, renumbered])
def test_removed_swapped_doubled_and_renumbered_entries_break_it(
    harm: Callable[[list[ChainEntry]], list[ChainEntry]],
) -> None:
    with pytest.raises(IntegrityError, match=r"log line [34] does not follow"):
        check(harm(chain(5)), "log")


def test_a_chain_forged_from_some_entry_on_breaks_behind_it() -> None:
    entries = chain(5)
    third = {**entries[2], "actor": "somebody else"}
    entries[2] = {**third, "hash": entry_hash(third)}
    with pytest.raises(IntegrityError, match="log line 4 does not follow"):
        check(entries, "log")


def test_an_entry_is_read_back_from_its_line() -> None:
    for entry in islice(chain(3), 1, None):
        assert parse(to_line(entry)) == entry
        assert to_line(entry).count(b"\n") == 1


@pytest.mark.parametrize(
    "rubbish", [b"", b"rubbish", b"\xff", b"[1]", b"{}", b'{"n": "1", "hash": ""}', b'{"n": 1}', b"[" * 100_000]
)
def test_what_is_no_entry_is_none(rubbish: bytes) -> None:
    assert parse(rubbish) is None


def test_the_end_of_another_log_does_not_follow_this_one() -> None:
    """Numbers and hashes of each entry fit; what the entry before it was does not."""
    other = following(BEFORE_THE_FIRST, Deed(1.5, "something", "somebody else", {}))
    end = []
    for number in range(4):
        other = following(other, Deed(1.5, "something", "somebody else", {"number": number}))
        end.append(other)
    with pytest.raises(IntegrityError, match="log line 4 does not follow"):
        check([*chain(5)[:3], *end[2:]], "log")


def test_behind_the_last_signed_entry_stands_only_what_needs_no_key(tmp_path: Path) -> None:
    key, entries = Signer(tmp_path / "keys", tmp_path / "signing.id"), chain(3)
    head = signed_head(3, entries[-1]["hash"], key)
    entries[-1] = {**entries[-1], "key": head.key_id, "signature": head.signature}
    refusal = following(entries[-1], Deed(2.0, "version.refused", "测试", {}))
    forged = following(refusal, Deed(2.5, "version.promoted", "测试", {}))
    assert check([*entries, refusal], "log", key) == ChainHead(4, refusal["hash"], 3)
    with pytest.raises(IntegrityError, match="line 5 is not signed as those before it"):
        check([*entries, refusal, forged], "log", key)
