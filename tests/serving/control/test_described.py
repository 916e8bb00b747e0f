"""The control plane asked by its own OpenAPI document: whatever is sent, a running controller answers."""

from __future__ import annotations

import pytest

from tests.serving.cases import FULL, OF_CONTROL_PLANE, PARTS, answers_all, read
from tests.serving.conftest import Control


@pytest.mark.timeout(600 if FULL else 240)
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_is_sent_is_answered(part: int, control: Control) -> None:
    token = control.state.admin_token.read_text().strip()
    schema = read(f"{control.url}/admin/v1/openapi.json")
    answers_all(schema, token, OF_CONTROL_PLANE, part)
    assert control.process.poll() is None
    left = [path for path in control.state.root.rglob("*") if path.is_file() and path != control.state.admin_token]
    assert not [path for path in left if token.encode() in path.read_bytes()]
