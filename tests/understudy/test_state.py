"""Where everything lies: below one root, each thing at a place of its own."""

from __future__ import annotations

from pathlib import Path

from understudy.state import StateDir

PLACES = [name for name, value in vars(StateDir).items() if isinstance(value, property)]


def test_every_place_is_below_the_root_and_no_two_are_the_same(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "state")
    places = [getattr(state, name) for name in PLACES]
    assert len(places) > 10
    assert all(place.is_relative_to(state.root) and place != state.root for place in places)
    assert len(set(places)) == len(places)


def test_naming_a_place_makes_nothing(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "state")
    for name in PLACES:
        getattr(state, name)
    assert not state.root.exists()


def test_secrets_and_sockets_stay_out_of_what_is_archived_with_the_registry(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    for place in (state.admin_token, state.engine_key, state.addresses):
        assert place.parent == state.run
        assert not place.is_relative_to(state.registry)
