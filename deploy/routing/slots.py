"""Which version each student slot should hold: blue/green, pure.

The stable version stays where it is. The other slot takes what comes in (a candidate, or the target of a
rollback), else the latest former version, so that a rollback to it needs no load.

Where no student is stable the unfit one has the stable one's place: nobody waits for it, so a better one is loaded
there in its stead, and the second engine begins with the first candidate.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from deploy.routing.document import STUDENT_SLOTS


def arrange(
    stable: str | None,
    incoming: str | None,
    previous: tuple[str, ...],
    held: Mapping[str, str | None],
    loaded: Mapping[str, str | None],
    bad: Collection[str] = (),
) -> dict[str, str | None]:
    """Desired version by student slot.

    `held` is what each slot should hold now, `loaded` what it reports; `bad` versions are wanted nowhere
    but where they are stable already (replacing a bad stable version is the caller's decision).
    """
    home = _home(stable, held, loaded)
    other = next(slot for slot in STUDENT_SLOTS if slot != home)
    wanted = [incoming, *previous]
    guest = next((v for v in wanted if v is not None and v != stable and v not in bad), None)
    return {home: stable, other: guest} if home == STUDENT_SLOTS[0] else {other: guest, home: stable}


def _home(stable: str | None, held: Mapping[str, str | None], loaded: Mapping[str, str | None]) -> str:
    """The slot of the stable version: held and loaded, else held, else loaded, else the first."""
    if stable is not None:
        for sure in (
            [s for s in STUDENT_SLOTS if held.get(s) == stable == loaded.get(s)],
            [s for s in STUDENT_SLOTS if held.get(s) == stable],
            [s for s in STUDENT_SLOTS if loaded.get(s) == stable],
        ):
            if sure:
                return sure[0]
    return STUDENT_SLOTS[0]
