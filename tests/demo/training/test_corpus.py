"""Real dialogues: read by role, and named when they are missing."""

import pytest

from demo.training import corpus
from tests.shared_data import lacking


def test_only_the_asked_roles_are_read() -> None:
    try:
        corpus.folder()
    except corpus.CorpusMissing as missing:
        lacking(f"no data folder: {missing.message}")
    judged = list(corpus.dialogues(frozenset({"judge"})))
    learned = list(corpus.dialogues(frozenset({"both", "teacher_only"})))
    assert judged
    assert not {d.id for d in judged} & {d.id for d in learned}
    assert {d.lang for d in learned} == {"en", "zh"}
    assert not {d.source for d in learned} & corpus.LEFT_OUT


def test_a_missing_folder_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("UNDERSTUDY_DATA", str(tmp_path))
    with pytest.raises(corpus.CorpusMissing, match="UNDERSTUDY_DATA"):
        corpus.folder()
