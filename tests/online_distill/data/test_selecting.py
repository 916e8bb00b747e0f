"""Which samples train and which judge: never both; at least half of the hard ones are the live student's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.world import stream
from feedback.events import HardSample, sample_id
from feedback.pool.general import is_general
from online_distill.data.clusters import RESERVED, Clusters, is_reserved
from online_distill.data.config import DataConfig
from online_distill.data.material import gather
from online_distill.data.reservoir import Reservoir
from online_distill.data.rows import Row
from online_distill.data.selecting import (
    Material,
    Selection,
    balanced,
    is_held_out,
    lineage_digest,
    prompt_key,
    select,
)
from tests.online_distill.world import make_samples

PLAIN = DataConfig(reserved_clusters=0)


def nothing_known(rows: Sequence[Row]) -> list[bool]:
    return [False] * len(rows)


def everything_known(rows: Sequence[Row]) -> list[bool]:
    return [True] * len(rows)


def hard_row(n: int, why: str = "fresh", **changes: object) -> Row:
    (sample,) = make_samples(1, start=n)
    role = "hard" if why in ("fresh", "old") else "anchor"
    return Row.of(sample, role, parent="v1", cluster=f"c{n % 7}", why=why).model_copy(update=changes)  # type: ignore[arg-type]


def rows(n: int, why: str, start: int = 0) -> list[Row]:
    return [hard_row(i, why) for i in range(start, start + n)]


def of_world(n: int, seed: int, student: str, family: str = "general") -> list[HardSample]:
    return [
        HardSample(
            id=sample_id(s.id, student), session=s.id, at=1.0, exchange=s.id, messages=list(s.messages),
            teacher_text=s.reply, student_text="no", teacher="t1", student=student, kinds=("semantic",), lang=s.lang,
        )
        for s in stream(seed, "traffic", family, n)  # type: ignore[arg-type]
    ]  # fmt: skip


def why_of(chosen: Selection, role: str) -> tuple[Counter[str], Counter[str]]:
    train = Counter(row.why for row in chosen.train if row.role == role)
    return train, Counter(row.why for row in chosen.holdout if row.role == role)


@given(
    fresh=st.integers(0, 40),
    old=st.integers(0, 60),
    general=st.integers(0, 60),
    share=st.floats(0.05, 0.6),
    reserved=st.integers(0, 3),
    known=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_no_prompt_is_both_trained_on_and_held_out(
    fresh: int, old: int, general: int, share: float, reserved: int, known: bool
) -> None:
    doubles = [hard_row(i, "old", id=f"d{i}", exchange=f"d{i}") for i in range(10)]

    def marked(found: list[Row]) -> list[Row]:
        names = {f"c{n}": f"{RESERVED}c{n}" for n in range(reserved)}
        return [row.model_copy(update={"cluster": names.get(row.cluster, row.cluster)}) for row in found]

    old_rows = marked([*rows(old, "old", 20), *doubles])
    material = Material(marked(rows(fresh, "fresh")), old_rows, marked(rows(general, "replay", 30)))
    config = DataConfig(holdout_share=share, general_holdout_share=share)
    chosen = select(material, config, everything_known if known else nothing_known)
    assert not {prompt_key(row) for row in chosen.train} & {prompt_key(row) for row in chosen.holdout}
    for part in (
        chosen.train,
        [r for r in chosen.holdout if r.role == "hard"],
        [r for r in chosen.holdout if r.role != "hard"],
    ):
        keys = [prompt_key(row) for row in part]
        assert len(keys) == len(set(keys))
    assert all(row.weight == (3.0 if row.role == "hard" else 1.0) for row in chosen.train)
    assert not any(is_reserved(row.cluster) for row in chosen.train)
    for part in why_of(chosen, "hard"):
        assert part["old"] <= part["fresh"]


def test_of_few_failures_those_that_stand_for_all_traffic_are_judged_as_failures_too() -> None:
    """Of 60 failures a fifth of one half is held out otherwise: six, on which nothing can be judged."""
    chosen = select(Material(rows(60, "fresh"), [], rows(200, "replay", 300)), DataConfig(), nothing_known)
    hard = {prompt_key(row) for row in chosen.holdout if row.role == "hard"}
    assert len(hard) >= 10
    assert not hard & {prompt_key(row) for row in chosen.train}


def test_an_exchange_stays_on_its_side_whatever_else_there_is() -> None:
    config = DataConfig(max_hard=20, max_replay=10, holdout_hard=5, holdout_general=7, reserved_clusters=0)
    chosen = select(Material(rows(80, "fresh"), [], rows(80, "replay", 900)), config, nothing_known)
    roles = [row.role for row in chosen.train]
    assert (roles.count("hard"), roles.count("anchor")) == (20, 10)
    assert [row.role for row in chosen.holdout] == ["hard"] * 5 + ["anchor"] * 7
    assert all(is_held_out(row.exchange, row.cluster, config) for row in chosen.holdout)
    assert not any(is_held_out(row.exchange, row.cluster, config) for row in chosen.train)
    assert set(chosen.dropped) == {"held_out_surplus", "fresh_surplus", "replay_surplus"}


def test_with_a_full_pool_of_old_samples_half_of_the_hard_rows_are_the_live_students() -> None:
    """12,000 old samples and 220 fresh ones: drawn from all alike, 4 of 400 would be fresh."""
    fresh = [s.model_copy(update={"seq": 12_000 + i}) for i, s in enumerate(make_samples(220))]
    old = [s.model_copy(update={"student": "v0"}) for s in make_samples(1200, start=5000)]
    material = gather(fresh, old, make_samples(400, start=9000), Reservoir(Clusters(reserved=0)), "v1")
    chosen = select(material, PLAIN, nothing_known)
    train, held = why_of(chosen, "hard")
    assert train["old"] == train["fresh"] > 100
    assert held["old"] == held["fresh"] > 10
    assert len([row for row in chosen.holdout if row.role == "anchor"]) > 80


def test_where_traffic_has_brought_them_400_general_rows_and_100_fresh_failures_are_held_out() -> None:
    """With the share of each that is held out by hash, and of half of all traffic."""
    material = Material(rows(1_400, "fresh"), rows(300, "old", 5_000), rows(2_400, "replay", 9_000))
    chosen = select(material, DataConfig(), nothing_known)
    assert why_of(chosen, "hard")[1] == {"fresh": 100}
    assert sum(row.role == "anchor" for row in chosen.holdout) == 400
    assert chosen.dropped["held_out_surplus"] > 0
    few = select(Material(rows(200, "fresh"), [], rows(200, "replay", 9_000)), DataConfig(), nothing_known)
    assert 0 < sum(row.role == "anchor" for row in few.holdout) < 400


def test_what_the_parent_has_learned_since_is_replayed_at_weight_one() -> None:
    old = [row for row in rows(40, "old") if not is_held_out(row.exchange, row.cluster, PLAIN)]
    learned = {row.id for row in old[::2]}
    fresh = rows(30, "fresh", 100)
    chosen = select(Material(fresh, old, []), PLAIN, lambda asked: [row.id in learned for row in asked])
    replayed = [row for row in chosen.train if row.why == "learned"]
    assert {row.id for row in replayed} == learned
    assert {(row.role, row.weight, row.student_text) for row in replayed} == {("anchor", 1.0, "")}
    assert not learned & {row.id for row in chosen.train if row.why == "old"}


def test_text_of_another_student_is_never_learned_from() -> None:
    fresh = make_samples(20)
    old = [s.model_copy(update={"student": "v0"}) for s in make_samples(60, start=100)]
    chosen = select(gather(fresh, old, [], Reservoir(), "v1"), PLAIN, nothing_known)
    texts = {row.why: {bool(row.student_text)} for row in chosen.train}
    assert texts == {"fresh": {True}, "old": {False}}


def test_text_of_the_student_that_is_older_than_a_week_is_not_learned_from() -> None:
    aged = [s.model_copy(update={"at": s.at + (0 if i else 8 * 86_400.0)}) for i, s in enumerate(make_samples(3))]
    assert [bool(row.student_text) for row in gather(aged, [], [], Reservoir(), "v1").fresh] == [True, False, False]


def test_replay_and_general_rows_are_balanced_over_clusters_and_quiet_kinds_are_in() -> None:
    """12 of 275 samples are of a quiet kind: 3.5 of 80 that were drawn from all alike."""
    chance = stream(1, "traffic", "general", 1500)
    quiet = [s for s in chance if s.intent == "coupon"]
    loud = {s.id for s in chance if s.intent in ("order_total", "refund_amount", "points_total")} | {
        s.id for s in quiet[:12]
    }
    samples = [s for s in of_world(1500, 1, "v1") if s.exchange in loud]
    material = gather([], [], samples, Reservoir(), "v1")
    drawn = balanced(material.general, 80)
    few = {s.id for s in quiet[:12]}
    assert sum(row.exchange in few for row in drawn) >= 6
    chosen = select(material, DataConfig(max_replay=60, holdout_general=60), nothing_known)
    assert len([row for row in chosen.train if row.role == "anchor"]) == 60
    judged = [row for row in chosen.holdout if row.role == "anchor"]
    assert all(is_general(row.exchange) for row in judged)
    assert len({row.cluster for row in judged}) > 10


@pytest.mark.parametrize("n", [5, 20, 200])
def test_a_draw_from_a_draw_is_the_draw_from_all(n: int) -> None:
    everything = rows(150, "replay")
    kept = balanced(everything[:80], n)
    assert balanced([*kept, *everything[80:]], n) == balanced(everything[::-1], n)


def test_a_prompt_is_the_same_whatever_its_case_and_spaces_and_another_with_another_picture() -> None:
    def asked(content: object) -> str:
        return prompt_key(hard_row(1, messages=[{"role": "user", "content": content}]))

    assert asked("Where is  my order？ ") == asked("where is my order?")
    assert asked("Where is order 1?") != asked("Where is order 2?")
    pictures = [asked([{"type": "image_url", "image_url": {"url": url}}]) for url in ("a", "b")]
    assert pictures[0] != pictures[1]


def test_the_digest_names_the_set_of_rows_whatever_their_order() -> None:
    some = rows(4, "fresh")
    assert lineage_digest(some) == lineage_digest(some[::-1]) != lineage_digest(some[1:])


def test_replay_that_is_not_balanced_follows_the_traffic() -> None:
    common = [hard_row(n, "replay", cluster="common") for n in range(1000, 1180)]
    rare = [hard_row(n, "replay", cluster=f"rare{n}") for n in range(2000, 2020)]
    found = {}
    for balanced_replay in (True, False):
        config = DataConfig(reserved_clusters=0, max_replay=40, replay_balanced=balanced_replay)
        train = select(Material([], [], [*common, *rare]), config, nothing_known).train
        assert len(train) == 40
        found[balanced_replay] = Counter(row.cluster == "common" for row in train)[False]
    assert found[False] < 10 <= found[True]
