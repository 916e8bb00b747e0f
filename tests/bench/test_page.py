"""What stands in docs/benchmarks.md, README and docs/statistics.md is what their commands measured."""

from __future__ import annotations

import json

import pytest

from bench.page import BEGIN, END, FOLDER, PAGE, README, STATISTICS, benchmarks, between, of_statistics, summary

WRITE = "`python -m bench.page` writes it anew"


def test_the_tables_of_statistics_are_those_of_the_last_measurement() -> None:
    page = STATISTICS.read_text("utf-8")
    assert between(page, of_statistics(json.loads((FOLDER / "statistics.json").read_bytes()))) == page
    assert (STATISTICS.parent / "benchmarks" / "statistics.svg").is_file()


def test_the_page_of_benchmarks_and_the_figures_of_the_readme_are_those_of_the_last_measurements() -> None:
    assert PAGE.read_text("utf-8") == benchmarks(), WRITE
    readme = README.read_text("utf-8")
    assert between(readme, summary()) == readme, WRITE


def test_figures_go_between_markers_and_nowhere_else() -> None:
    assert between(f"a\n{BEGIN}\nold\n{END}\nb", "new") == f"a\n{BEGIN}\nnew\n{END}\nb"
    with pytest.raises(ValueError, match="once each"):
        between("a page", "new")
