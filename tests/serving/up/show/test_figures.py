"""One picture on one line: what is frozen, and what waits for it."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from serving.up.show.changes import changes
from serving.up.show.figures import Figures, Stage, line
from serving.up.show.view import render


def test_what_is_frozen_is_shown_and_what_waits_for_it() -> None:
    free = Figures(stage=Stage(2, "canary", note="step 1 of 1"))
    frozen = replace(free, frozen=("promotion",))
    assert "promotion is frozen until `understudy resume promotion`" in changes(free, frozen)
    assert list(changes(frozen, free)) == ["promotion goes on"]
    assert any("canary 0% waits: promotion is frozen" in text for text in shown(frozen))
    assert "waits: promotion is frozen | " in line(frozen)
    assert replace(frozen, stage=Stage(2, "distil")).waits == replace(frozen, stage=None).waits == ""
    assert any("waiting: learning is frozen" in text for text in shown(Figures(frozen=("learning",))))


def shown(now: Figures) -> list[str]:
    """The lines of the picture on a terminal of 80 columns."""
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(render(now, "gateway http://127.0.0.1:8000/v1   control http://127.0.0.1:8001   state /a/b/.state"))
    return console.export_text().splitlines()
