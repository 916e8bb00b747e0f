"""Whose limit a prompt is held to: the smaller one of everybody's and the tenant's."""

from __future__ import annotations

import pytest

from serving.gateway.config import TenantLimits
from serving.gateway.tenants.prompts import prompt_limit


@pytest.mark.parametrize(
    ("everybody", "own", "characters"),
    [(None, None, None), (100, None, 100), (None, 10, 10), (100, 10, 10), (100, 1000, 100), (100, 100, 100)],
)
def test_the_smaller_limit_holds(everybody: int | None, own: int | None, characters: int | None) -> None:
    found = prompt_limit(everybody, "bank", TenantLimits(max_prompt=own))
    assert (found and found.characters) == characters
    assert prompt_limit(everybody, "bank", None) == prompt_limit(everybody, "bank", TenantLimits())
