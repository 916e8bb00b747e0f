"""A round in few words: what it drew and why, what became of each slice."""

from __future__ import annotations

from deploy.life.evaluation import JudgedRow
from deploy.life.slices import slice_changes
from serving.up.show.told import cells, differences, drawn, drawn_short
from tests.deploy.life.judged import evaluation, learned, rows

SELECTED = {
    "drawn": {
        "train": {"hard_fresh": 250, "hard_old": 200, "anchor_learned": 100, "anchor_replay": 900},
        "holdout": {"hard_fresh": 60, "hard_kept": 40, "anchor_kept": 300, "anchor_replay": 80, "anchor_fresh": 20},
    },
    "left_out": {"held_out_surplus": 30, "too_long": 0},
}


def judged(*general: JudgedRow) -> str:
    """The rows of the table, one beside the other."""
    return " | ".join(" ".join(row) for row in cells(slice_changes(evaluation(*general))))


def test_what_was_drawn_is_told_by_reason_and_what_was_held_out_by_slice() -> None:
    short = "drawn 900 replay 250 fresh 200 old 100 learned; held out 400 general 100 new"
    assert drawn_short(SELECTED) == short
    assert drawn(SELECTED) == (
        "trained on 900 anchor replay, 250 hard fresh, 200 hard old, 100 anchor learned; "
        "judged on 300 anchor kept, 80 anchor replay, 60 hard fresh, 40 hard kept, 20 anchor fresh; "
        "left out 30 held out surplus"
    )


def test_before_anything_was_drawn_or_judged_nothing_is_said() -> None:
    assert (drawn({}), drawn_short({}), list(cells({})), differences({}, 3)) == ("", "", [], "")
    assert drawn_short({"drawn": {"train": {"hard_fresh": 3}, "holdout": {}}}) == "drawn 3 fresh"


def test_each_slice_has_its_figures_before_and_after_the_interval_of_their_difference_and_what_was_lost() -> None:
    """Tango's interval of 8 lost and 2 won of 400, by `ab.matched`: -3.3 to +0.1 points."""
    new, general = cells(slice_changes(evaluation(*rows(400, lost=8, won=2))))
    assert general[0] == "general 400"
    assert general[1] == general[2] == "100→98 [-3,+0] -8+2"
    assert general[3].startswith("100→100 [")
    assert new[0] == "new 100"
    assert new[1].startswith("0→75 [+6")
    assert new[1].endswith("] -0+75")


def test_the_gates_line_grows_by_the_intervals_and_by_where_lost_replies_are_shown() -> None:
    lossy = slice_changes(evaluation(*rows(400, lost=8, won=2)))
    told = differences(lossy, 3)
    assert told.startswith("; difference in points (95 %): new exact [+")
    assert "general exact [-3,+0], facts [-3,+0], agreement [" in told
    assert told.endswith("`understudy rounds show 3` shows what was lost")
    assert "what was lost" not in differences(slice_changes(evaluation(*rows(400), hard=learned(30))), 3)
