"""A plot is a picture of the looks, or a word on why there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.control.pages.plot import plot
from serving.control.replies.results import ExperimentResultsReply
from tests.serving.control.pages.test_results import KPI, REPLY
from understudy.errors import UsageError


@pytest.fixture(autouse=True)
def kept_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What matplotlib keeps of fonts goes with the test."""
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "mpl"))


LOOK = {"at": 1e9, "units": 10, "effect": None, "lower": None, "upper": None}
DRAWN = {**LOOK, "at": 1e9 + 3600, "effect": 0.01, "lower": -0.02, "upper": 0.04}


def reply(*looks: dict[str, float | None]) -> ExperimentResultsReply:
    pair = {"old": "teacher", "new": "student", "primary": {**KPI, "margin": 0.02}, "secondary": [], "guardrails": []}
    return ExperimentResultsReply.model_validate({**REPLY, "comparisons": [pair], "looks": {"student": looks}})


def test_it_is_a_picture_that_shows_what_was_seen(tmp_path: Path) -> None:
    plot(reply(LOOK, DRAWN, {**DRAWN, "at": 1e9 + 7200}), tmp_path / "e.png")
    assert (tmp_path / "e.png").read_bytes().startswith(b"\x89PNG")
    plot(reply(LOOK, DRAWN), tmp_path / "e.svg")
    assert "<svg" in (tmp_path / "e.svg").read_text("utf-8")


def test_without_a_look_a_folder_or_a_kind_of_picture_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to draw yet: nobody has sent rating"):
        plot(reply(LOOK), tmp_path / "e.png")
    with pytest.raises(UsageError, match="names no picture"):
        plot(reply(DRAWN), tmp_path / "e.doc")
    with pytest.raises(UsageError, match="cannot write"):
        plot(reply(DRAWN), tmp_path / "no" / "e.png")
