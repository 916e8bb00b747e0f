"""What every store of versions promises to the agents that load from it; a further one is one more of `PLACES`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deploy.registry.manifest import MANIFEST
from deploy.registry.store import Registry, VersionStore
from tests.deploy.fleet import register
from understudy.errors import IntegrityError, NotFound
from understudy.state import StateDir

FILES = ("model.safetensors", "tokenizer.json", "chat_template.jinja", "fingerprint.json")


class Folders:
    """`open` gives a further user, `add` puts a version in and returns its name, `spoil` overwrites its manifest."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._state: StateDir = request.getfixturevalue("state_dir")

    def open(self) -> VersionStore:
        return Registry(self._state)

    def add(self, content: str) -> str:
        return register(self._state, content)

    def spoil(self, version: str, text: str) -> None:
        (self._state.versions / version / MANIFEST).write_text(text)


Place = Folders
PLACES: dict[str, Callable[[pytest.FixtureRequest], Place]] = {"folders": Folders}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    return PLACES[request.param](request)


def test_an_empty_store_has_no_versions(place: Place) -> None:
    assert place.open().versions() == []
    with pytest.raises(NotFound, match="there are: none"):
        place.open().path("v1")


def test_a_version_verifies_and_names_what_it_is_made_of(place: Place) -> None:
    version, store = place.add("一"), place.open()
    manifest = store.verify(version)
    assert manifest == store.manifest(version)
    assert (manifest.version, manifest.lineage) == (version, {"说明": "一"})
    assert set(manifest.files) == set(FILES)
    for name, entry in manifest.files.items():
        assert (store.path(version) / name).stat().st_size == entry.size


def test_versions_are_listed_newest_first(place: Place) -> None:
    added = [place.add(text) for text in ("a", "b", "c")]
    assert [manifest.version for manifest in place.open().versions()] == added[::-1]


@pytest.mark.parametrize("name", FILES)
def test_one_flipped_bit_in_any_file_is_refused(place: Place, name: str) -> None:
    version, store = place.add("one"), place.open()
    file = store.path(version) / name
    file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:])
    with pytest.raises(IntegrityError, match=f"{version}/{name}"):
        store.verify(version)


def test_a_missing_file_is_refused_by_name(place: Place) -> None:
    version, store = place.add("one"), place.open()
    (store.path(version) / "tokenizer.json").unlink()
    with pytest.raises(IntegrityError, match=rf"{version}/tokenizer\.json is missing"):
        store.verify(version)


@pytest.mark.parametrize("link", [False, True])
def test_a_file_beside_those_of_the_manifest_is_refused_by_name(place: Place, link: bool) -> None:
    version, store = place.add("one"), place.open()
    extra = store.path(version) / "model-00002.safetensors"
    extra.symlink_to("/dev/null") if link else extra.write_text("x")
    with pytest.raises(IntegrityError, match=r"model-00002\.safetensors"):
        store.verify(version)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"lineage":' * 100_000])
def test_an_unreadable_manifest_is_refused_and_not_listed(place: Place, text: str) -> None:
    version, store = place.add("one"), place.open()
    place.spoil(version, text)
    with pytest.raises(IntegrityError, match="register it anew"):
        store.verify(version)
    assert store.versions() == []


@pytest.mark.parametrize("name", ["../v1", "v1/../v1", "", ".v1", "v9"])
def test_names_that_are_no_version_are_not_found(place: Place, name: str) -> None:
    place.add("one")
    for asked in (place.open().path, place.open().manifest, place.open().verify):
        with pytest.raises(NotFound, match="not registered"):
            asked(name)
