"""A round as an operator reads it."""

from __future__ import annotations

from typing import Any

from serving.control.pages.round import EXAMPLES, round_page
from serving.control.replies.rounds import RoundReport

INTERVAL = {"value": 0.98, "lower": 0.96, "upper": 0.99}
LESS = {"value": -0.02, "lower": -0.04, "upper": -0.01}
CHANGE = {"before": INTERVAL, "after": INTERVAL, "difference": LESS, "lost": 9, "won": 1}
SLICE = {
    "n": 400, "exact": CHANGE, "facts": CHANGE, "agreement": CHANGE,
    "tokens": {"computed": {"n": 80, "parent": 0.5, "candidate": 0.75}},
}  # fmt: skip
LOST = {
    "id": "a", "slice": "general", "kind": "c1", "asked": "When \x1b[31mdoes\n it arrive?", "teacher": "On 5 May.",
    "candidate": "On 6 May.", "exact": True, "facts": True,
}  # fmt: skip
DRAWN = {
    "drawn": {"train": {"hard_fresh": 250, "anchor_replay": 900}, "holdout": {"anchor_kept": 400}},
    "left_out": {"held_out_surplus": 30, "too_long": 0}, "languages": {"en": 600, "zh": 550},
    "student_texts": 180, "student_texts_from": 1_800_000_000.0,
}  # fmt: skip
ROUND: dict[str, Any] = {
    "id": 3, "state": "distil", "parent": "v2", "teacher": "t1", "candidate": None, "why": "120 fresh",
    "started": 1.8e9, "ended": None, "stages": {}, "drawn": {}, "clusters": [], "slices": {}, "lost": [],
    "ends_in": None,
}  # fmt: skip


FAMILY = {"n": 50, "parent": 1, "candidate": 1, "lost": 0, "won": 0, "p": 1.0}
GIVEN_UP = {**FAMILY, "candidate": 13, "lost": 12, "p": 0.000244}
COMPLIED = {
    **GIVEN_UP, "n": 500, "wanted": 500, "families": {"fraud": FAMILY, "weapons": GIVEN_UP}, "worse": ["weapons"],
    "languages": {"zh": {"parent": 1, "candidate": 6}, "en": {"parent": 0, "candidate": 7}},
}  # fmt: skip


def shown(**more: Any) -> str:
    return round_page(RoundReport.model_validate({**ROUND, **more}))


def test_a_round_that_has_just_begun_has_a_head_alone() -> None:
    assert shown().splitlines() == [
        "round 3: distil", "parent v2   teacher t1   candidate -", "began 2027-01-15 08:00:00 UTC: 120 fresh",
    ]  # fmt: skip


def test_it_says_when_it_ends_and_why_it_ended() -> None:
    assert shown(ends_in=44.0).startswith("round 3: distil, ends in about 40 s\n")
    assert "ended because: aborted by operator" in shown(ended="aborted by operator")


def test_what_was_drawn_is_told_by_part_and_reason_with_what_was_left_out() -> None:
    text = shown(drawn=DRAWN)
    assert "trained on 900 anchor replay, 250 hard fresh" in text
    assert "judged on  400 anchor kept" in text
    assert "left out   30 held out surplus" in text
    assert "too long" not in text
    assert "since 2027-01-15 08:00:00 UTC" in text
    clusters = [
        {"cluster": "c", "prompt": "where is #", "reserved": True, "train_hard_fresh": 3, "holdout_anchor_kept": 4}
    ]
    line = shown(clusters=clusters).splitlines()[-1]
    assert line.split() == ["where", "is", "#", "3", "4", "never", "trained", "on"]


def test_each_slice_is_told_before_and_after_with_intervals_and_facts_beside_agreement() -> None:
    text = shown(slices={"general": SLICE, "hard": SLICE}, gate="gate refused: general exact ...")
    for name in ("general", "new"):
        for figure in ("exact", "facts", "agreement"):
            row = next(line for line in text.splitlines() if line.split()[:3] == [name, "400", figure])
            assert "0.980 [0.960, 0.990]  0.980 [0.960, 0.990]  -0.020 [-0.040, -0.010]  9" in row
    assert "agreement by token, new: computed 0.500 -> 0.750 of 80" in text
    assert "gate refused: general exact ..." in text
    assert "facts: share of replies" in text


def test_lost_replies_are_shown_as_examples_and_control_no_terminal() -> None:
    text = shown(lost=[LOST] * (EXAMPLES + 2))
    assert text.count("candidate  On 6 May.   (facts lost)") == EXAMPLES
    assert f"lost, general ({EXAMPLES} of {EXAMPLES + 2} kept examples)" in text
    assert "asked      When  [31mdoes it arrive?" in text
    assert "\x1b" not in text


def test_who_complied_with_what_ought_to_be_refused_is_told_by_language_and_family() -> None:
    stage = {"started": 1.8e9, "seconds": 0.1, "event": "rejected", "summary": {"safety": COMPLIED}}
    lines = shown(stages={"gate": stage}).splitlines()
    said = "complied with, of 500 of 500 prompts that ought to be refused: en 0 -> 7, zh 1 -> 6"
    at = lines.index(said)
    assert lines[at + 3].split() == ["weapons", "50", "1", "13", "12", "0", "0.00024", "yes"]
    assert lines[at + 4] == "as before: fraud"
    for summary in ({}, {"safety": None}):
        assert "ought to be refused" not in shown(stages={"gate": {**stage, "summary": summary}})


def test_a_blend_that_was_chosen_is_told_with_what_it_was_chosen_by() -> None:
    figures = {"general": 40, "new": 6, "tokens": 0.91, "lost": 0, "won": 0, "keeps": True}
    exported = {
        "blend": 0.8, "blend_why": "most exact replies", "blend_rows": {"general": 41, "new": 9},
        "blends": [{**figures, "blend": 0.8}, {**figures, "blend": 1.0, "lost": 3, "keeps": False}],
    }  # fmt: skip
    stage = {"started": 1.8e9, "seconds": 2.0, "event": "done", "summary": exported}
    lines = shown(stages={"export": stage}).splitlines()
    assert "blend 0.8: most exact replies" in lines
    assert lines[-1].split() == ["1", "40", "3", "0", "6", "0.910", "loses", "what", "is", "known"]
    assert "blend" not in shown(stages={"export": {**stage, "summary": {"blend": 0.8}}})
