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
