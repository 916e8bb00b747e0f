"""An audit log against heads of it that were noted elsewhere; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deploy.audit.heads import AuditHead


@dataclass(frozen=True, slots=True)
class Witness:
    """A head of the log and who carries it, such as `epoch-7.json`."""

    where: str
    head: AuditHead


def disagreements(witnesses: Iterable[Witness], hashes: Mapping[int, str], length: int, signed: int) -> list[str]:
    """What the log cannot be if the witnesses tell the truth, in words; empty where all agree.

    `hashes` are those of the log's entries that witnesses name, `length` is its number of entries, `signed` the last
    of them whose signature was checked.
    """
    known = sorted(witnesses, key=lambda one: one.head.n)
    agreed = max((w.head.n for w in known if hashes.get(w.head.n) == w.head.hash), default=0)
    found = []
    beyond = [w for w in known if w.head.n > length]
    if beyond:
        last = beyond[-1]
        found.append(f"it was cut: it ends at entry {length}, and {last.where} saw entry {last.head.n}")
    other = [w for w in known if w.head.n <= length and hashes.get(w.head.n) != w.head.hash]
    if other:
        first = other[0]
        what = "it is a fork" if first.head.n <= signed else "it was written anew"
        since = f"after entry {agreed}" if agreed < first.head.n else "somewhere"
        found.append(f"{what} {since}: its entry {first.head.n} is not the one that {first.where} saw")
    seen: dict[int, Witness] = {}
    for witness in known:
        twin = seen.setdefault(witness.head.n, witness)
        if twin.head.hash != witness.head.hash:
            found.append(f"there was a fork: {twin.where} and {witness.where} saw different entries {witness.head.n}")
            break
    return found
