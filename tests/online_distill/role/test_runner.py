"""A whole round on files, with a local teacher: resumable, idempotent, flagged when its weights are no numbers."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from deploy.registry.store import Registry
from deploy.rounds.store import RoundStore
from online_distill import models
from online_distill.data.encoding import Encoded
from online_distill.role.context import Context, Outcome, Stopped
from online_distill.role.runner import run_round
from online_distill.role.stages import table as run
from online_distill.role.stages.table import MODEL, STAGES
from online_distill.teacher.local import LocalScorer
from online_distill.teacher.targets import TopK
from online_distill.train.learner import Diverged
from online_distill.train.pace import Pace
from tests.online_distill.world import ListSource, make_model, make_samples, quick_config, register_model
from understudy.files import read_json
from understudy.state import StateDir


@pytest.fixture
def context(tmp_path: Path) -> Context:
    state = StateDir(tmp_path / "state")
    registry = Registry(state)
    register_model(registry, make_model(tmp_path / "t1", seed=1), "t1", "teacher")
    register_model(registry, make_model(tmp_path / "v1", seed=2), "v1", "student")
    rounds = RoundStore(state)
    source = ListSource(make_samples(60), make_samples(60, start=1000))
    return Context(
        round=rounds.begin("v1", "t1", "test"), rounds=rounds, registry=registry, config=quick_config(),
        source=source, make_scorer=lambda this: LocalScorer(registry.path(this.teacher)),
    )  # fmt: skip


def test_a_round_yields_a_signed_better_version_and_hands_over_to_the_gate(context: Context) -> None:
    done = run_round(context)
    assert done.state == "gate"
    assert done.candidate == "v2"
    manifest = context.registry.verify("v2")
    assert (manifest.parent, manifest.teacher, manifest.round) == ("v1", "t1", 1)
    assert manifest.lineage["trajectory"] == done.stages["distil"].summary["chain"]
    assert "fingerprint.json" in manifest.files
    found = read_json(context.folder("evaluate") / "evaluation.json")
    assert found["candidate_finite"] is True
    assert found["hard"]
    assert found["general"]
    assert found["summary"]["hard/zh"]["n"] > 0
    assert done.stages["distil"].summary["loss_last"] < done.stages["distil"].summary["loss_first"]


def test_held_out_rows_are_never_trained_on(context: Context) -> None:
    run_round(context)
    folder = context.folder("select")
    train, held = ((folder / name).read_text() for name in ("train.jsonl", "holdout.jsonl"))
    assert held
    assert not set(held.splitlines()) & set(train.splitlines())
    assert '"weight":3.0' in train
    assert '"role":"anchor"' in train


def test_a_stage_done_twice_changes_nothing(context: Context) -> None:
    done = run_round(context)
    weights = (context.folder("export") / MODEL / "model.safetensors").read_bytes()
    again = replace(context, round=done)
    for stage in STAGES.values():
        assert stage(again).event == "done"
    assert (context.folder("export") / MODEL / "model.safetensors").read_bytes() == weights
    assert [m.version for m in context.registry.versions()] == ["v2", "v1", "t1"]


def test_a_stop_in_any_stage_is_taken_up_again(context: Context) -> None:
    reports = 0

    def stopped() -> bool:
        nonlocal reports
        reports += 1
        return reports % 3 == 0

    interrupted, attempts = replace(context, stopped=stopped), 0
    while context.rounds.get(1).state in STAGES:
        attempts += 1
        try:
            run_round(interrupted)
        except Stopped:
            continue
    assert attempts > 1
    assert context.rounds.get(1).state == "gate"


@pytest.mark.parametrize("stage", ["score", "distil", "evaluate"])
def test_a_round_that_is_aborted_in_a_stage_stops_there(
    context: Context, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = STAGES[stage]

    def aborted(inside: Context) -> Outcome:
        context.rounds.fail(1, {"error": "aborted by operator"})
        return work(inside)

    monkeypatch.setitem(STAGES, stage, aborted)
    done = run_round(context)
    assert (done.state, list(done.stages)[-1]) == ("failed", stage)
    assert done.stages[stage].summary == {"error": "aborted by operator"}
    assert {m.version for m in context.registry.versions()} == {"v1", "t1"}


class SlowScorer:
    """A teacher that takes `seconds` of its own clock, `now`, for each text."""

    def __init__(self, context: Context, seconds: float) -> None:
        self._teacher = LocalScorer(context.registry.path("t1"))
        self._seconds = seconds
        self.now = 0.0

    def score(self, texts: Sequence[Encoded]) -> list[TopK]:
        self.now += self._seconds * len(texts)
        return self._teacher.score(texts)

    def close(self) -> None:
        """Nothing to give back."""


@pytest.mark.parametrize(
    ("seconds", "texts", "left"),
    [
        (5.0, 7, 55.0),  # of 100 s scoring ends with the text that reaches its 35, and 10 are for evaluate
        (0.1, None, None),  # all texts in time: distil has what scoring left over
        (30.0, 4, 20.0),  # the least number of texts takes longer than the budget: distil has its least share
    ],
)
def test_the_budget_of_a_round_covers_scoring(
    context: Context, monkeypatch: pytest.MonkeyPatch, seconds: float, texts: int | None, left: float | None
) -> None:
    teacher = SlowScorer(context, seconds)
    given: list[float] = []

    def distil(folder: Path, parent: Path, items: object, recipe: object, pace: Pace, progress: object) -> object:
        given.append(pace.seconds)
        raise Diverged("enough seen")

    monkeypatch.setattr(run, "distil", distil)
    config = quick_config(budget_seconds=100, score_share=0.35, score_batch=1, min_train=4)
    done = run_round(replace(context, config=config, make_scorer=lambda _: teacher, clock=lambda: teacher.now))
    scored = done.stages["score"].summary
    assert scored["score_seconds"] == pytest.approx(scored["texts"] * seconds)
    if texts is None:
        assert scored["texts"] == scored["texts_wanted"]
    else:
        assert scored["texts"] == texts
    assert given == [pytest.approx(left or 90 - scored["score_seconds"])]


def test_what_scoring_took_before_a_stop_counts_against_its_share(context: Context) -> None:
    teacher = SlowScorer(context, 5.0)
    config = quick_config(budget_seconds=100, score_share=0.35, score_batch=1, min_train=4)
    slow = replace(context, config=config, make_scorer=lambda _: teacher, clock=lambda: teacher.now)
    with pytest.raises(Stopped):
        run_round(replace(slow, stopped=lambda: teacher.now >= 20))
    summary = STAGES["score"](replace(slow, round=context.rounds.get(1))).summary
    assert (summary["texts"], summary["score_seconds"]) == (7, pytest.approx(35.0))


def test_weights_that_are_no_numbers_are_flagged_and_not_registered(context: Context) -> None:
    for name in ("select", "score", "distil"):
        outcome = STAGES[name](replace(context, round=context.rounds.get(1)))
        context.rounds.finish(1, name, outcome.summary, outcome.event)
    checkpoint = context.folder("distil") / "checkpoint.pt"
    state = torch.load(checkpoint, weights_only=True)
    state["model"]["lm_head.weight"][0, 0] = float("nan")
    torch.save(state, checkpoint)
    done = run_round(context)
    assert done.state == "rejected"
    assert read_json(context.folder("evaluate") / "evaluation.json")["candidate_finite"] is False
    assert [m.version for m in context.registry.versions()] == ["v1", "t1"]


def test_a_parent_with_a_flipped_bit_is_never_trained_from(context: Context) -> None:
    weights = context.registry.path("v1") / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    done = run_round(context)
    assert done.state == "failed"
    assert "SHA-256" in done.stages["distil"].summary["error"]


def test_a_parent_that_was_archived_meanwhile_fails_the_round_at_once(context: Context) -> None:
    shutil.rmtree(context.registry.path("v1"))
    done = run_round(context)
    assert done.state == "failed"
    assert "'v1' is not registered" in done.stages["score"].summary["error"]


def test_too_few_samples_fail_the_round_and_say_what_to_do(context: Context) -> None:
    done = run_round(replace(context, source=ListSource(make_samples(3), [])))
    assert done.state == "failed"
    assert "send more traffic" in done.stages["select"].summary["error"]


def test_the_candidate_lies_between_its_parent_and_the_trained_weights(context: Context) -> None:
    mixed = replace(context, config=quick_config(blend=0.25))
    run_round(mixed)
    before = models.load(context.registry.path("v1")).state_dict()
    trained = torch.load(context.folder("distil") / "checkpoint.pt", weights_only=True)["model"]
    after = models.load(context.registry.path("v2")).state_dict()
    assert any(not torch.equal(before[name], trained[name]) for name in before)
    for name, value in after.items():
        expected = 0.75 * before[name] + 0.25 * trained[name]
        torch.testing.assert_close(value, expected, rtol=1e-2, atol=1e-4)


def test_the_export_holds_an_untied_head_and_the_parents_tokenizer(context: Context) -> None:
    run_round(context)
    folder = context.registry.path("v2")
    assert read_json(folder / "config.json")["tie_word_embeddings"] is False
    assert (folder / "tokenizer.json").read_bytes() == (context.registry.path("v1") / "tokenizer.json").read_bytes()
    assert models.finite(models.load(folder))
