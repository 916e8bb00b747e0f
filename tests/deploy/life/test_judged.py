"""Which rows a version got right, kept over rounds, and found again from its descendants."""

from __future__ import annotations

from pathlib import Path

from deploy.life.gate import Former
from deploy.life.judged import ROWS, JudgedStore


def line(folder: Path, *versions: str) -> JudgedStore:
    """Versions, each the child of the one before."""
    store = JudgedStore(folder)
    for parent, version in zip((None, *versions), versions, strict=False):
        store.keep(version, parent, {version: True})
    return store


def test_rows_of_several_rounds_add_and_the_latest_judgement_counts(tmp_path: Path) -> None:
    store = JudgedStore(tmp_path / "judged")
    store.keep("v2", "v1", {"a": True, "b": True})
    store.keep("v2", None, {"b": False, "c": True})
    found = store.read("v2")
    assert found is not None
    assert (found.parent, found.exact) == ("v1", {"a": True, "b": False, "c": True})


def test_the_version_of_some_promotions_ago_is_found_by_descent(tmp_path: Path) -> None:
    store = line(tmp_path, "v1", "v2", "v4", "v5", "v7", "v8", "v9")
    assert store.former("v9", 5) == Former("v2", {"v2": True})
    assert store.former("v9", 1) == Former("v8", {"v8": True})


def test_where_there_were_fewer_promotions_it_is_the_first(tmp_path: Path) -> None:
    store = line(tmp_path, "v2", "v4", "v5")
    assert store.former("v5", 5) == Former("v2", {"v2": True})
    assert store.former("v2", 5) is None
    assert store.former("v3", 5) is None


def test_what_cannot_be_read_is_not_known(tmp_path: Path) -> None:
    store = line(tmp_path, "v1", "v2")
    (tmp_path / "v1.json").write_text("{")
    assert store.read("v1") is None
    assert store.former("v2", 5) is None


def test_only_the_latest_rows_are_kept(tmp_path: Path) -> None:
    store = JudgedStore(tmp_path)
    store.keep("v1", None, {str(i): True for i in range(ROWS)})
    store.keep("v1", None, {"new": False})
    found = store.read("v1")
    assert found is not None
    assert len(found.exact) == ROWS
    assert ("0" in found.exact, found.exact["new"]) == (False, False)
