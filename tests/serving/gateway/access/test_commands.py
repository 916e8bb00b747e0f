"""`understudy keys`, as it is called."""

from __future__ import annotations

import json

import pytest

from serving.gateway.access import key_file
from understudy import cli
from understudy.state import StateDir


def test_a_key_is_shown_once_alone_on_standard_output(state_dir: StateDir, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["keys", "create", "--tenant", "shop", "--name", "bot", "--state", str(state_dir.root)]) == 0
    said = capsys.readouterr()
    key = said.out.strip()
    assert said.out == f"{key}\n"
    assert key.startswith(key_file.PREFIX)
    assert key not in said.err
    assert "tenant shop" in said.err
    for words in (["list"], ["list", "--json"], ["revoke", "bot"], ["revoke", "bot", "--json"]):
        assert cli.main(["keys", *words, "--state", str(state_dir.root)]) == 0
        said = capsys.readouterr()
        assert "bot" in said.out
        assert "shop" in said.out
        assert key not in said.out + said.err
        assert "hmac" not in said.out


def test_in_json(state_dir: StateDir, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: str) -> dict[str, object]:
        assert cli.main(["keys", *words, "--json", "--state", str(state_dir.root)]) == 0
        answer: dict[str, object] = json.loads(capsys.readouterr().out)
        return answer

    assert run("list") == {"asked": False, "keys": []}
    made = run("create")
    assert set(made) == {"id", "name", "tenant", "created", "revoked", "key"}
    assert made["tenant"] == "default"
    assert made["name"] == made["id"]
    ended = run("revoke", str(made["id"]))
    assert ended["revoked"] is not None
    assert run("list") == {"asked": True, "keys": [ended]}


def test_wrong_usage_and_what_is_not_there(state_dir: StateDir, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--state", str(state_dir.root)]
    assert cli.main(["keys", "create", "--tenant", "a b", *where]) == 2
    assert cli.main(["keys", "revoke", "bot", *where]) == 1
    assert "keys list" in capsys.readouterr().err
    assert cli.main(["keys", "revoke", "bot", "--json", *where]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "not_found"
    with pytest.raises(SystemExit) as ended:
        cli.main(["keys"])
    assert ended.value.code == 2


def test_a_state_directory_that_cannot_be_written(state_dir: StateDir, capsys: pytest.CaptureFixture[str]) -> None:
    state_dir.clients.write_text("in the way", "utf-8")
    assert cli.main(["keys", "create", "--state", str(state_dir.root)]) == 1
    assert str(state_dir.clients) in capsys.readouterr().err
