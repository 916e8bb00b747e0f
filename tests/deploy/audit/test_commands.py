"""`understudy audit` on a real log: whole, broken, absent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.audit.commands import audit
from deploy.audit.log_file import FileAuditLog
from understudy.errors import IntegrityError, NotFound
from understudy.state import StateDir


def test_the_command_verifies_and_shows(state_dir: StateDir, capsys: pytest.CaptureFixture[str]) -> None:
    for why in ("因为", "所以"):
        FileAuditLog(state_dir.audit).append("something", "test", why=why)
    assert audit(["verify", "--state", str(state_dir.root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["entries"] == 2
    assert audit(["show", "--state", str(state_dir.root)]) == 0
    assert "因为" in capsys.readouterr().out
    state_dir.audit.write_text("no entry\n")
    with pytest.raises(IntegrityError, match="line 1"):
        audit(["verify", "--state", str(state_dir.root)])


@pytest.mark.parametrize("action", ["verify", "show"])
def test_no_log_is_an_error(tmp_path: Path, action: str) -> None:
    with pytest.raises(NotFound, match="no audit log"):
        audit([action, "--state", str(tmp_path)])
