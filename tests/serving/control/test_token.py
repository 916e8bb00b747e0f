"""The control plane's token: made once, its owner's alone, and asked for as a bearer."""

from __future__ import annotations

import pytest

from serving.control.token import ENV, admin_token, fits
from understudy.state import StateDir


def test_it_is_made_once_and_the_environment_goes_before_it(
    state_dir: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ENV, raising=False)
    made = admin_token(state_dir)
    assert admin_token(state_dir) == made
    assert len(made) > 40
    assert state_dir.admin_token.stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv(ENV, "mine")
    assert admin_token(state_dir) == "mine"


@pytest.mark.parametrize(
    ("header", "right"),
    [("Bearer sesame", True), ("bearer  sesame ", True), ("Basic sesame", False), ("Bearer Sesame", False),
     ("sesame", False), ("Bearer 错误", False), (None, False)],
)  # fmt: skip
def test_only_the_token_itself_fits(header: str | None, right: bool) -> None:
    assert fits(header, "sesame") is right
