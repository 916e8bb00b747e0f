"""The command's answer as text."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from online_distill.role.attribution.commands import as_text
from tests.pasted import examples
from understudy import cli


def test_its_examples_are_understood(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They train for minutes where there is such a round, so here is none."""
    monkeypatch.chdir(tmp_path)
    pasted = examples("rounds attribute", capsys)
    assert len(pasted) == 2
    for example in pasted:
        assert cli.main(shlex.split(example)[1:]) == 1
        assert "round 1" in capsys.readouterr().err


def test_it_says_what_changed_and_what_each_player_did_and_where_there_is_nothing_to_say() -> None:
    part = {"value": 0.1, "lower": 0.05, "upper": 0.15}
    none = {"value": 0.0, "lower": -0.01, "upper": 0.01}
    figures = {
        "hard.agreement": {"n": 40, "change": part, "attributed": True, "why": "", "shapley": {"hard": part}},
        "hard.exact": {"n": 40, "change": none, "attributed": False, "why": "nothing", "shapley": {}},
    }
    found = {"round": 3, "players": ["hard"], "same_weights": True, "figures": figures}
    lines = list(as_text(found))
    assert lines[0].startswith("round 3: what hard changed")
    assert lines[1].split() == ["hard.agreement", "+10.00", "points", "(+5.00", "to", "+15.00),", "40", "rows"]
    assert lines[2].split()[:4] == ["hard", "+10.00", "points", "(+5.00"]
    assert lines[3].endswith("40 rows: nothing")
    assert "rounds repeat" in list(as_text({**found, "same_weights": False}))[1]
