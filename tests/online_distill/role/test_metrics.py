"""What a trainer tells of its stages."""

from __future__ import annotations

from pathlib import Path

from deploy.rounds.store import FileRounds
from online_distill.role.metrics import TrainerFigures
from tests.packaging.scraping import promtool_says, without
from understudy.state import StateDir
from understudy.telemetry.metrics import MetricsPage


def test_stages_that_ended_meanwhile_are_counted_with_their_seconds_on_a_page_that_is_whole(tmp_path: Path) -> None:
    rounds = FileRounds(StateDir(tmp_path))
    begun = rounds.begin("v1", "t1", "a test")
    first = rounds.finish(begun.id, "select", {"seconds": 2.5})
    after = rounds.fail(rounds.finish(begun.id, "score", {"seconds": 4.0}).id, {"seconds": 1.0})
    figures, page = TrainerFigures(), MetricsPage("trainer")
    figures.show(page)
    figures.add(first, after)
    text = page.render()
    assert 'understudy_trainer_stages_total{event="done",stage="score"} 1.0' in text
    assert 'understudy_trainer_stages_total{event="failed",stage="distil"} 1.0' in text
    assert 'understudy_trainer_stage_seconds_total{stage="score"} 4.0' in text
    assert 'stage="select"' not in text
    assert "understudy_trainer_working 0.0" in text
    assert without(text, "Every role", "Trainer") == set()
    assert promtool_says(text) == ""
