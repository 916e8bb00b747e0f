"""The select stage: what it leaves, and when it gives up."""

from __future__ import annotations

from dataclasses import replace

from online_distill.role.context import Context
from online_distill.role.runner import run_round
from tests.online_distill.world import ListSource, make_samples


def test_held_out_rows_are_never_trained_on(finished: Context) -> None:
    folder = finished.folder("select")
    train, held = ((folder / name).read_text() for name in ("train.jsonl", "holdout.jsonl"))
    assert held
    assert not set(held.splitlines()) & set(train.splitlines())
    assert '"weight":3.0' in train
    assert '"role":"anchor"' in train


def test_too_few_samples_fail_the_round_and_say_what_to_do(context: Context) -> None:
    done = run_round(replace(context, source=ListSource(make_samples(3), [])))
    assert done.state == "failed"
    assert "send more traffic" in done.stages["select"].summary["error"]
