"""A version as an operator reads it."""

from __future__ import annotations

from typing import Any

from serving.control.pages.version import version_page
from serving.control.replies.versions import VersionPage

VERSION: dict[str, Any] = {
    "version": "v3", "state": "live", "kind": "student", "created": 1.8e9, "parent": "v2", "teacher": "t1", "round": 4,
    "decided_by": "offline+shadow: timeout promote", "bad": None, "caveats": [], "bytes": 6_700_000, "metrics": {},
    "steps": [], "history": [],
}  # fmt: skip
BOTH = {"parent": 0.98, "candidate": 0.97}


def shown(**more: Any) -> str:
    return version_page(VersionPage.model_validate({**VERSION, **more}))


def test_a_version_of_which_nothing_is_known_has_a_head_alone() -> None:
    assert shown().splitlines() == [
        "v3: live, decided by offline+shadow: timeout promote",
        "student   parent v2   teacher t1   round 4",
        "created 2027-01-15 08:00:00 UTC, 6.7 MB",
    ]


def test_it_names_what_is_not_known_and_what_was_said_against_it() -> None:
    few = "judged on few: a loss below 5.5 points would not be seen"
    gate = {"passed": False, "general": 120, "hard": 30, "reasons": ["general prompts: 30 exact replies lost"]}
    text = shown(caveats=[few, "promoted by hand, refused by the gate: ..."], gate=gate)
    assert f"note: {few}" in text
    assert "note: promoted by hand" in text
    assert "gate refused on 120 general and 30 new held-out prompts\n  general prompts: 30 exact replies lost" in text


def test_facts_and_exact_replies_stand_beside_agreement_and_measured_figures_of_others_are_no_hindrance() -> None:
    text = shown(metrics={"general": {"n": 400, **BOTH, "exact": BOTH, "facts": BOTH}, "facts": {"general": 0.9}})
    row = next(line for line in text.splitlines() if line.startswith("general"))
    assert row.split() == ["general", "400", *["0.980", "->", "0.970"] * 3]
    assert "held out" not in shown(metrics={"general": {"n": 4}, "facts": {"general": 0.9}, "hard": None})


def test_the_canary_and_the_life_are_told() -> None:
    pairs = {"exact": {"candidate": 0.9, "n": 50, "stable": 0.95, "n_stable": 90}, "needed": 400}
    steps = [{"share": 0.25, "exposures": 50, "seconds": 31.5, "why": "exposures", "pairs": pairs}]
    text = shown(steps=steps, history=[{"at": 1.8e9, "event": "promoted", "state": "live", "why": "25%"}])
    assert "step 1 of the canary: 25%, 50 exposures in 31.5 s (exposures)" in text
    assert "  exact: 0.900 of 50 shadow pairs, 0.950 of 90 before" in text
    assert "guardrail" not in text  # of a version that a former release judged
    exact = {"stable": 0.95, "candidate": 0.9, "worse": 0.05, "lower": -0.1, "upper": 0.2, "users": [90, 50]}
    rails = {"exact": {**exact, "limit": "max_decrease 0", "verdict": "open"}}
    rails["error_rate"] = {**dict.fromkeys(exact), "users": [0, 0], "limit": "max_increase 0", "verdict": "too few"}
    told = shown(steps=[{**steps[0], "guardrails": rails}])
    rows = [line.split() for line in told.splitlines() if "max_" in line]
    assert rows[0] == ["exact", "0.950", "0.900", "90/50", "-0.100", "to", "0.200", "max_decrease", "0", "open"]
    assert rows[1][:3] == ["error_rate", "-", "-"]
    assert text.splitlines()[-1].split() == ["2027-01-15", "08:00:00", "promoted", "live", "25%"]


def test_what_it_complied_with_of_what_ought_to_be_refused_stands_beside_its_parents() -> None:
    gate = {"passed": True, "general": 400, "hard": 100}
    text = shown(gate=gate, metrics={"safety": {"n": 500, "parent": 3, "candidate": 4, "seconds": 9.0}})
    assert "of 500 prompts that ought to be refused it complied with 4, its parent with 3" in text
    assert "ought to be refused" not in shown(gate=gate, metrics={"safety": "unknown"})
