"""The account of a draw counts every row once, by reason and by cluster."""

from __future__ import annotations

from online_distill.data.account import NAMED, SHOWN, account, by_cluster, left_out
from online_distill.data.rows import Row
from tests.online_distill.world import make_samples


def test_every_row_is_counted_under_its_cluster_and_its_reason() -> None:
    samples = make_samples(40)
    train = [Row.of(s, "hard", parent="v1", cluster=f"c{i % 20}", why="fresh") for i, s in enumerate(samples[:30])]
    held = [Row.of(s, "anchor", parent="v1", cluster="c1", why="kept") for s in samples[30:]]
    table = by_cluster(train, held)
    assert table[0] == {
        "cluster": "c1", "reserved": table[0]["reserved"], "train_hard_fresh": 2, "holdout_anchor_kept": 10,
    }  # fmt: skip
    found = account(train, held, table)
    assert (found["train_hard"], found["holdout_anchor"], found["clusters"]) == (30, 10, 20)
    assert found["drawn"] == {"train": {"hard_fresh": 30}, "holdout": {"anchor_kept": 10}}
    assert len(found["largest_clusters"]) == SHOWN
    assert (found["student_texts"], found["student_texts_from"]) == (30, 0.0)


def test_rows_that_were_left_out_are_counted_and_up_to_a_bound_named() -> None:
    many = [f"r{i}" for i in range(NAMED + 7)]
    found = left_out({"too_long": many, "near_held_out": ["a"], "no_time_hard": []}, {"fresh_surplus": 9})
    assert found["left_out"] == {"fresh_surplus": 9, "too_long": NAMED + 7, "near_held_out": 1, "no_time_hard": 0}
    assert found["left_out_rows"] == {
        "too_long": {"ids": many[:NAMED], "more": 7}, "near_held_out": {"ids": ["a"], "more": 0},
    }  # fmt: skip
