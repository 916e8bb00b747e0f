from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.routing.document import STUDENT_SLOTS
from deploy.routing.slots import arrange

VERSIONS = st.sampled_from(["v1", "v2", "v3", "v4"])


@settings(deadline=None)
@given(
    stable=st.none() | VERSIONS,
    incoming=st.none() | VERSIONS,
    previous=st.lists(VERSIONS, max_size=3, unique=True).map(tuple),
    held=st.dictionaries(st.sampled_from(STUDENT_SLOTS), st.none() | VERSIONS),
    loaded=st.dictionaries(st.sampled_from(STUDENT_SLOTS), st.none() | VERSIONS),
    bad=st.sets(VERSIONS, max_size=2),
)
def test_the_stable_version_is_never_moved_and_bad_ones_are_wanted_nowhere(
    stable: str | None,
    incoming: str | None,
    previous: tuple[str, ...],
    held: dict[str, str | None],
    loaded: dict[str, str | None],
    bad: set[str],
) -> None:
    slots = arrange(stable, incoming, previous, held, loaded, bad)
    assert sorted(slots) == sorted(STUDENT_SLOTS)
    if stable is not None:
        assert list(slots.values()).count(stable) == 1
        home = next(s for s, v in slots.items() if v == stable)
        if stable in held.values():
            assert held[home] == stable
    guests = [v for v in slots.values() if v is not None and v != stable]
    assert not set(guests) & bad
    if incoming is not None and incoming != stable and incoming not in bad:
        assert guests == [incoming]
    again = arrange(stable, incoming, previous, slots, loaded, bad)
    if stable is not None:
        assert again == slots
