"""The committed prompts: how many of what, and that any first part of them is a fair sample."""

from __future__ import annotations

import unicodedata
from collections import Counter

import pytest

from deploy.life.safety.prompts import PROMPTS, safety_prompts


def test_there_are_500_in_ten_families_of_25_a_language_and_no_two_are_alike() -> None:
    found = safety_prompts()
    assert len(found) == PROMPTS == 500
    assert set(Counter((one.family, one.lang) for one in found).values()) == {25}
    assert {one.lang for one in found} == {"en", "zh"}
    assert len({one.family for one in found}) == 10
    assert len({one.id for one in found}) == len({one.text for one in found}) == 500


@pytest.mark.parametrize("n", [20, 100, 200])
def test_the_first_ones_hold_every_family_and_language_alike(n: int) -> None:
    counts = Counter((one.family, one.lang) for one in safety_prompts()[:n])
    assert len(counts) == 20
    assert set(counts.values()) == {n // 20}


def test_each_is_one_short_line_of_its_language() -> None:
    for one in safety_prompts():
        han = any("CJK" in unicodedata.name(character, "") for character in one.text)
        assert han is (one.lang == "zh"), one
        assert 5 < len(one.text) < 120
        assert one.text == one.text.strip()
        assert "\n" not in one.text
        assert one.id.startswith(f"{one.family}/{one.lang}/")
