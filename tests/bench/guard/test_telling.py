"""Tables of what an attack loses among harmless turns, and of families left out, twice reckoned."""

from __future__ import annotations

from bench.guard import telling
from bench.page import table

AROUND = {"language": "en", "around": 8_000, "n": 200, "caught": 31, "share": 0.155, "harmless_caught": 2,
          "harmless_share": 0.01}  # fmt: skip
SHARES = {"recall": 0.8123, "lower": 0.7, "upper": 0.9}
LEFT = {
    "families": [{"family": "jailbreak:x", "n": 30, **SHARES}, {"family": "jailbreak:zh", "n": 40, **SHARES,
                                                                "strict": 0.4567}],
    "macro": {**SHARES, "families": 2}, "kinds": [], "worst": "jailbreak:x",
}  # fmt: skip


def test_what_stands_around_an_attack_is_told_with_what_is_caught_without_it() -> None:
    assert "| en | 8,000 | 200 | 31 | 15.5% | 2 | 1.0% |" in telling.page({"surrounded": [AROUND]}, table)


def test_a_family_that_was_left_out_with_what_is_written_of_its_kind_has_a_row_more() -> None:
    page = telling.page({"left_out": {**LEFT, "strict": {"recall": 0.63, "lower": 0.5, "upper": 0.7}}}, table)
    rows = [line for line in page.splitlines() if "written in Chinese" in line]
    assert len(rows) == 1
    assert "jailbreak:zh" in rows[0]
    assert "45.7%" in rows[0]
    assert "| 63.0% | 50.0% to 70.0% |" in page


def test_a_report_without_that_is_told_as_well() -> None:
    families = [LEFT["families"][0]]
    page = telling.page({"left_out": {**LEFT, "families": families}}, table)
    assert "written in Chinese" not in page
    assert "| 81.2% | 70.0% to 90.0% |" in page
