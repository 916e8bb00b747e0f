"""The table in the docs is that of the code, and names are those that Prometheus wants."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from understudy.telemetry.table import OWNERS, PAGE, metrics, page

ROOT = Path(__file__).resolve().parents[3]
PRODUCT = ("understudy", "feedback", "deploy", "serving", "online_distill")


def test_the_docs_have_the_table_of_the_code() -> None:
    text = PAGE.read_text("utf-8")
    assert text == page(text), "run `python -m understudy.telemetry.table --write`"


def test_no_name_is_taken_twice() -> None:
    names = Counter(metric.name for _, metric in metrics())
    assert [name for name, count in names.items() if count > 1] == []


def test_every_module_that_makes_metrics_has_them_in_the_table() -> None:
    named = {module for modules in OWNERS.values() for module in modules}
    found = set()
    for package in PRODUCT:
        for path in (ROOT / package).rglob("*.py"):
            calls = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))
            if any(isinstance(call.func, ast.Name) and call.func.id == "Metric" for call in calls):
                found.add(".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert found == named


def test_no_label_could_be_a_person_or_a_text() -> None:
    labels = {label for _, metric in metrics() for label in metric.labels}
    assert labels.isdisjoint({"user", "session", "unit", "key", "request", "prompt", "text", "address"})
    of_tenants = {metric.name for _, metric in metrics() if "tenant" in metric.labels}
    assert of_tenants == {"understudy_degraded_total", "understudy_flagged_total"}  # bounded: `Metrics.of_tenant`
