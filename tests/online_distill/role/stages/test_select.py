"""The select stage: what it leaves and keeps, what is fresh after a round, and when it gives up."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

from deploy.rounds.leading import prompt_of
from feedback.events import HardSample
from online_distill.data.account import NAMED
from online_distill.data.reservoir import load_reservoir
from online_distill.data.rows import Row, read_rows
from online_distill.role.context import Context
from online_distill.role.runner import run_round
from online_distill.role.stages.select import DEVELOPMENT, RESERVOIR, select_stage
from tests.online_distill.world import greedy, make_samples, quick_config
from trials.samples import SampleList


def of(student: str, samples: list[HardSample]) -> list[HardSample]:
    return [sample.model_copy(update={"student": student}) for sample in samples]


def drawn(context: Context, part: str) -> list[Row]:
    return read_rows(context.folder("select") / f"{part}.jsonl", context.vault)


def next_round(context: Context, source: SampleList) -> Context:
    context.rounds.finish(context.round.id, "gate", {}, "rejected")
    return replace(context, round=context.rounds.begin("v1", "t1", "again"), source=source)


def test_held_out_rows_are_never_trained_on(finished: Context) -> None:
    train, held = drawn(finished, "train"), drawn(finished, "holdout")
    assert held
    assert not {row.exchange for row in held} & {row.exchange for row in train}
    assert {(row.role, row.weight) for row in train} == {("hard", 3.0), ("anchor", 1.0)}


def test_the_summary_says_what_was_drawn_and_why(finished: Context) -> None:
    summary = finished.round.stages["select"].summary
    assert set(summary["drawn"]["train"]) == {"hard_fresh", "anchor_replay"}
    assert summary["drawn"]["train"]["hard_fresh"] == summary["train_hard"] > 16
    table = json.loads((finished.folder("select") / "clusters.json").read_text())["clusters"]
    assert summary["clusters"] == len(table) >= 2
    assert sum(entry.get("train_hard_fresh", 0) for entry in table) == summary["train_hard"]
    assert finished.vault is not None
    assert any("order #" in prompt_of(entry, finished.vault) for entry in table)
    assert summary["student_texts"] > 0


def test_after_a_round_its_samples_are_old_and_half_of_the_next_ones_are_fresh(finished_copy: Context) -> None:
    fresh = make_samples(60, start=200)
    others = of("v0", make_samples(300, start=400))
    later = next_round(finished_copy, SampleList([*make_samples(60), *others, *fresh], make_samples(60, start=1000)))
    summary = select_stage(later).summary
    train, held = summary["drawn"]["train"], summary["drawn"]["holdout"]
    assert train["hard_fresh"] >= train["hard_old"] > 0
    assert held["hard_fresh"] >= held["hard_old"] > 0
    rows = drawn(later, "train")
    assert {row.exchange for row in rows if row.why == "fresh"} <= {sample.exchange for sample in fresh}
    assert not any(row.student_text for row in rows if row.id in {sample.id for sample in others})


def test_old_failures_that_the_parent_has_right_by_now_are_replayed(context: Context) -> None:
    still = of("v0", make_samples(24, start=400))
    known = greedy(context.registry.path("v1"), of("v0", make_samples(24, start=500)))
    source = SampleList([*still, *known, *make_samples(60)], make_samples(60, start=1000))
    summary = select_stage(replace(context, source=source)).summary
    found = drawn(context, "train")
    learned = {row.id for row in found if row.why == "learned"}
    assert summary["drawn"]["train"]["anchor_learned"] == len(learned) >= 8
    assert learned <= {sample.id for sample in known}
    assert {row.id for row in found if row.why == "old"} & {sample.id for sample in still}
    assert not learned & {row.id for row in found if row.role == "hard"}


def test_own_text_that_is_too_old_is_not_learned_from_and_counted(context: Context) -> None:
    old = make_samples(30)
    new = [s.model_copy(update={"at": 8 * 86_400.0}) for s in make_samples(30, start=100)]
    summary = select_stage(replace(context, source=SampleList([*old, *new], make_samples(60, start=1000)))).summary
    rows = drawn(context, "train")
    assert summary["left_out"]["student_text_too_old"] == 30
    assert summary["left_out_rows"]["student_text_too_old"] == {"ids": [sample.id for sample in old], "more": 0}
    assert {row.at > 100 for row in rows if row.student_text} == {True}
    assert summary["student_texts_from"] == 8 * 86_400.0
    assert any(row.at < 100 and row.role == "hard" for row in rows)


def test_replay_and_judged_rows_outlive_the_pool(finished_copy: Context) -> None:
    kept = load_reservoir(finished_copy.rounds.kept / RESERVOIR, vault=finished_copy.vault)
    judged = {r.exchange for r in drawn(finished_copy, "holdout") if r.role == "anchor"}
    assert judged
    later = next_round(finished_copy, SampleList([*make_samples(60), *make_samples(60, start=200)], []))
    summary = select_stage(later).summary
    assert summary["drawn"]["train"]["anchor_kept"] > 20
    rows = drawn(later, "holdout")
    assert judged <= {row.exchange for row in rows if row.role == "anchor"}
    assert len(load_reservoir(later.rounds.kept / RESERVOIR, vault=later.vault).rows) >= len(kept.rows)


def test_the_same_stage_again_gives_the_same_rows(finished_copy: Context) -> None:
    before = [
        row.model_copy(update={"why": "kept"}) if row.why == "replay" else row for row in drawn(finished_copy, "train")
    ]
    again = replace(finished_copy, round=finished_copy.rounds.get(1))
    shutil.rmtree(finished_copy.folder("distil"))
    select_stage(again)
    assert sorted(drawn(again, "train"), key=lambda row: row.id) == sorted(before, key=lambda row: row.id)


def test_what_a_purged_tenant_left_with_the_trainer_goes(finished_copy: Context) -> None:
    class Purging(SampleList):
        def purged(self) -> dict[str, float]:
            return {"default": 1e12}

    later = next_round(finished_copy, Purging(make_samples(160), []))
    select_stage(later)
    drawn = {row.exchange for row in load_reservoir(later.rounds.kept / RESERVOIR, vault=later.vault).rows}
    assert not drawn & {sample.exchange for sample in make_samples(60, start=1000)}


def test_a_selection_is_as_large_as_the_last_rounds_pace_allows(finished_copy: Context) -> None:
    path = finished_copy.folder("score") / "summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "seconds_per_text": 0.5}))
    later = next_round(finished_copy, SampleList(make_samples(300), make_samples(300, start=1000)))
    config = quick_config(budget_seconds=100, score_share=0.5, cache_mb=0)
    summary = select_stage(replace(later, config=config)).summary
    texts = summary["train_hard"] + summary["student_texts"] + summary["train_anchor"]
    assert (summary["texts_room"], texts) == (100, 100)
    assert summary["left_out"]["no_time_hard"] > 0
    assert summary["left_out"]["no_time_anchor"] > 0
    rows = {row.id for row in drawn(later, "train")}
    for why in ("no_time_hard", "no_time_anchor"):
        named = summary["left_out_rows"][why]
        assert len(named["ids"]) == min(NAMED, summary["left_out"][why])
        assert len(named["ids"]) + named["more"] == summary["left_out"][why]
        assert not rows & set(named["ids"])
    with_cache = select_stage(replace(later, config=config.model_copy(update={"cache_mb": 9}))).summary
    assert with_cache["train_hard"] + with_cache["train_anchor"] > 100


def test_too_few_samples_fail_the_round_and_say_what_to_do(context: Context) -> None:
    done = run_round(replace(context, source=SampleList(make_samples(3), [])))
    assert done.state == "failed"
    assert "send more traffic" in done.stages["select"].summary["error"]


def test_no_failure_of_the_live_student_is_no_round(context: Context) -> None:
    done = run_round(replace(context, source=SampleList(of("v0", make_samples(90)), make_samples(90, start=1000))))
    assert done.stages["select"].summary["error"] == "no failure of v1 since the last round; send more traffic"


def test_what_a_former_teacher_said_is_neither_learned_nor_judged_by(finished_copy: Context) -> None:
    kept = load_reservoir(finished_copy.rounds.kept / RESERVOIR, vault=finished_copy.vault)
    assert {row.teacher for row in kept.rows} == {"t1"}
    finished_copy.rounds.finish(finished_copy.round.id, "gate", {}, "rejected")
    now = [s.model_copy(update={"teacher": "t2"}) for s in (*make_samples(60, start=200), *make_samples(60, start=900))]
    source = SampleList([*make_samples(60), *now[:60]], [*now[60:], *make_samples(40, start=2000)])
    later = replace(finished_copy, round=finished_copy.rounds.begin("v1", "t2", "upgraded"), source=source)
    summary = select_stage(later).summary
    rows = [row for part in ("train", "holdout") for row in drawn(later, part)]
    assert rows
    assert {row.teacher for row in rows} == {"t2"}
    assert {row.teacher for row in load_reservoir(later.rounds.kept / RESERVOIR, vault=later.vault).rows} == {"t2"}
    assert summary["left_out"]["former_teacher"] == len(kept.rows) + 60 + 40


def test_a_round_without_a_word_of_its_teacher_says_so(context: Context) -> None:
    upgraded = replace(context.round, teacher="t2")
    assert "120 hold the text of a teacher before t2" in select_stage(replace(context, round=upgraded)).summary["error"]


def test_what_is_nearly_a_held_out_prompt_is_not_trained_on(context: Context) -> None:
    ask = "I bought a kettle in your shop and its lid came with a dent. Can I send it back without its box?"
    twins = [
        s.model_copy(update={"messages": [{"role": "user", "content": ask + end}]})
        for s, end in zip(make_samples(40, start=3000), ["!" * n for n in range(40)], strict=True)
    ]
    source = SampleList([*make_samples(60), *twins[:20]], [*make_samples(60, start=1000), *twins[20:]])
    summary = select_stage(replace(context, source=source)).summary
    sides = {
        part: [row for row in drawn(context, part) if "kettle" in str(row.messages)] for part in ("train", "holdout")
    }
    assert sides["holdout"]
    assert sides["train"] == []
    assert summary["left_out"]["near_held_out"] > 0
    assert set(summary["left_out_rows"]["near_held_out"]["ids"]) <= {sample.id for sample in twins}


def test_texts_that_all_are_too_long_fail_the_round(context: Context) -> None:
    done = run_round(replace(context, config=quick_config(max_length=8)))
    assert "trainer.max_length" in done.stages["select"].summary["error"]


def test_a_parent_that_was_archived_meanwhile_fails_the_round_at_once(context: Context) -> None:
    shutil.rmtree(context.registry.path("v1"))
    done = run_round(context)
    assert done.state == "failed"
    assert "'v1' is not registered" in done.stages["select"].summary["error"]


def test_rows_to_compare_blends_on_are_neither_trained_on_nor_held_out_and_in_every_round_the_same(
    context: Context,
) -> None:
    assert "development" not in select_stage(context).summary
    assert not (context.folder("select") / DEVELOPMENT).exists()
    without = {row.id for row in drawn(context, "train")}
    comparing = replace(context, config=quick_config(blends=[0.5, 1.0], development_share=0.3))
    summary = select_stage(comparing).summary
    aside = drawn(context, "development")
    ids = {row.id for row in aside}
    assert summary["development"] == len(ids)
    assert {row.role for row in aside} == {"hard", "anchor"}
    assert 0.15 < len(ids) / len(without) < 0.45
    assert not ids & {row.id for part in ("train", "holdout") for row in drawn(context, part)}
    assert ids | {row.id for row in drawn(context, "train")} == without
    assert summary["left_out"].get("near_held_out", 0) == 0  # what is set aside is not said to be left out
    source = SampleList(make_samples(90), make_samples(90, start=1000))
    select_stage(replace(comparing, source=source))
    trained = {row.exchange for row in drawn(context, "train")}
    assert trained
    assert not trained & {row.exchange for row in aside}
