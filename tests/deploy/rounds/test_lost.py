"""Examples of lost replies: written once, read by whoever shows a round."""

from __future__ import annotations

from pathlib import Path

from deploy.rounds.lost import LostReply, read_lost, write_lost
from feedback.privacy.vault import Vault

ONE = LostReply(
    id="a", slice="general", kind="c1", tenant="acme", at=5.0, asked="几点到?\u2028", teacher="5 点", candidate="6 点",
    exact=True, facts=True,
)  # fmt: skip


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_lost(tmp_path / "lost.jsonl", [ONE, ONE.model_copy(update={"id": "b"})])
    assert read_lost(tmp_path / "lost.jsonl") == [ONE, ONE.model_copy(update={"id": "b"})]


def test_texts_lie_sealed_and_a_purge_forgets_them(tmp_path: Path) -> None:
    path, vault, other = tmp_path / "lost.jsonl", Vault(tmp_path / "keys"), ONE.model_copy(update={"tenant": "b"})
    write_lost(path, [ONE, other], vault)
    assert not any(word.encode() in path.read_bytes() for word in ("几点", "5 点", "6 点"))
    assert read_lost(path, vault) == [ONE, other]
    vault.keys.destroy("acme", 10.0)
    assert read_lost(path, vault) == [other]
    write_lost(path, [ONE, other], vault)
    assert read_lost(path, vault) == [other]
    assert read_lost(path, Vault(tmp_path / "other keys")) == []


def test_a_round_without_the_file_or_with_a_damaged_one_has_no_examples(tmp_path: Path) -> None:
    assert read_lost(tmp_path / "lost.jsonl") == []
    for damage in (b"{", b"\xff\xfe", b'{"id": "a"}\n'):
        (tmp_path / "lost.jsonl").write_bytes(damage)
        assert read_lost(tmp_path / "lost.jsonl") == []
