"""What names a cluster is sealed on disk, read by operators alone, and gone with its tenant."""

from __future__ import annotations

from pathlib import Path

from deploy.rounds.leading import ClusterLeader, opened, prompt_of, stored
from feedback.privacy.vault import Vault

LEADER = ClusterLeader(id="c1", tenant="acme", at=5.0, prompt="我的包裹 # 在哪里")


def test_a_prompt_is_sealed_opened_and_gone_with_its_tenant(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    value = stored(LEADER, vault)
    assert "包裹" not in str(value)
    assert (value["id"], value["tenant"], value["at"]) == ("c1", "acme", 5.0)
    assert opened(value, vault) == LEADER
    assert prompt_of({"cluster": "c1", "led": value}, vault) == LEADER.prompt
    elsewhere = Vault(tmp_path / "others")
    assert prompt_of({"led": value}, elsewhere) == ""
    vault.keys.destroy("acme", 6.0)
    gone = LEADER.model_copy(update={"prompt": ""})
    assert (opened(value, vault), opened(stored(LEADER, vault), vault)) == (gone, gone)
    assert prompt_of({"led": value}, vault) == ""
    again = LEADER.model_copy(update={"at": 7.0})
    assert opened(stored(again, vault), vault) == again


def test_what_the_release_before_wrote_is_read_and_no_vault_leaves_texts_as_they_are(tmp_path: Path) -> None:
    assert prompt_of({"cluster": "c1", "prompt": "when?"}, Vault(tmp_path)) == "when?"
    assert prompt_of({"cluster": "c1"}, Vault(tmp_path)) == ""
    assert opened(stored(LEADER, None), None) == LEADER
