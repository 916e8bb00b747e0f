from __future__ import annotations

import pytest

from deploy.routing.documents_file import KEPT, FileDocuments
from tests.deploy.routing.samples import document
from understudy.errors import Unavailable
from understudy.state import StateDir


def test_an_unreadable_current_document_gives_way_to_the_newest_epoch_that_can_be_read(
    state_dir: StateDir, caplog: pytest.LogCaptureFixture
) -> None:
    for epoch in (9, 10, 11):
        FileDocuments(state_dir.routing).publish(document(epoch))
    (state_dir.routing / "current.json").write_text('{"x')
    (state_dir.routing / "epoch-11.json").write_text("")
    store = FileDocuments(state_dir.routing)
    assert [store.read(), store.read()] == [document(10), document(10)]
    assert caplog.text.count("the routing document of current.json cannot be read") == 1
    assert store.highest_epoch() == 11


def test_only_the_latest_documents_are_kept(state_dir: StateDir) -> None:
    store = FileDocuments(state_dir.routing)
    for epoch in (1, KEPT, KEPT + 1):
        store.publish(document(epoch))
    names = {file.name for file in state_dir.routing.iterdir()}
    assert names == {"current.json", f"epoch-{KEPT}.json", f"epoch-{KEPT + 1}.json"}


def test_a_folder_that_cannot_be_written_is_named_and_the_former_document_stays(state_dir: StateDir) -> None:
    store = FileDocuments(state_dir.routing)
    store.publish(document(1))
    (state_dir.routing / "epoch-2.json").mkdir()
    with pytest.raises(Unavailable, match="gateways stay at the former one"):
        store.publish(document(2))
    assert store.read() == document(1)


def test_of_two_leaders_one_makes_an_epoch_and_what_the_other_makes_current_is_passed_over(state_dir: StateDir) -> None:
    old, new = FileDocuments(state_dir.routing), FileDocuments(state_dir.routing)
    old.publish(document(1))
    late = (state_dir.routing / "current.json").read_bytes()
    assert new.publish(document(2).model_copy(update={"fence": 2}))
    assert not old.publish(document(2).model_copy(update={"fence": 1, "reason": "woken"}))
    (state_dir.routing / "current.json").write_bytes(late)  # the last line of what it was stopped in
    for store in (old, new, FileDocuments(state_dir.routing)):
        read = store.read()
        assert read is not None
        assert (read.epoch, read.fence, read.reason) == (2, 2, document(2).reason)


def test_an_epoch_made_meanwhile_is_not_overwritten_by_who_looked_before(state_dir: StateDir) -> None:
    store = FileDocuments(state_dir.routing)
    store.publish(document(1))
    path = state_dir.routing / "epoch-2.json"
    path.write_text(document(2).model_copy(update={"fence": 2}).model_dump_json())
    (state_dir.routing / "current.json").unlink()
    held = path.read_bytes()
    assert not store.publish(document(2))
    assert path.read_bytes() == held
