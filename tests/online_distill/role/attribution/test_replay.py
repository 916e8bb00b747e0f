"""A round's coalitions: trained from its folder, kept one by one, gone on with after a stop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from online_distill.progress import Progress, silent
from online_distill.role.attribution.commands import main
from online_distill.role.attribution.replay import KEPT, open_round, replay, same_weights
from online_distill.role.context import Context
from online_distill.teacher.targets import load_shard, save_shard
from understudy.errors import Conflict, NotFound, UsageError
from understudy.files import read_json, write_json
from understudy.state import StateDir

PLAYERS = ("hard", "replay", "hold")


def state_of(context: Context) -> StateDir:
    """The state directory of a round."""
    return StateDir(context.folder("distil").parents[3])


def kept(context: Context) -> list[Path]:
    """Coalitions that are judged."""
    folder = context.folder("distil").parent / KEPT / "+".join(PLAYERS)
    return sorted(folder.glob("*.json"))


class Stop(Exception):
    """Somebody stops the run."""


def test_eight_rounds_are_trained_and_a_run_that_was_stopped_goes_on(
    finished_copy: Context, capsys: pytest.CaptureFixture[str], yielded: list[int]
) -> None:
    this = open_round(state_of(finished_copy), 1)
    begun: list[str] = []

    def until_the_fourth(done: int, every: int, name: str) -> Progress:
        if done == 3:
            raise Stop
        begun.append(name)
        return silent

    with pytest.raises(Stop):
        replay(this, PLAYERS, 512, until_the_fourth)
    assert begun == ["none", "hard", "replay"]
    before = {path.name: path.stat().st_mtime_ns for path in kept(finished_copy)}
    assert set(before) == {"none.json", "hard.json", "replay.json"}

    root = str(state_of(finished_copy).root)
    assert main(["1", "--state", root, "--players", ",".join(PLAYERS), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    after = {path.name: path.stat().st_mtime_ns for path in kept(finished_copy)}
    assert len(after) == 8
    assert {name: after[name] for name in before} == before
    assert (told["players"], len(told["coalitions"]), told["same_weights"]) == (list(PLAYERS), 8, True)
    digests = {name: one["weights"] for name, one in told["coalitions"].items()}
    assert digests[""] == digests["hold"] == ""  # nothing to learn from
    assert len({digests[name] for name in ("hard", "replay", "hard,replay", "hard,replay,hold")}) == 4
    change = told["figures"]["hard.agreement"]
    if change["attributed"]:
        assert change["sum"] == pytest.approx(change["change"]["value"])

    assert main(["1", "--state", root]) == 0
    text = capsys.readouterr().out
    assert text.startswith("round 1: what hard, replay, hold changed together on held-out rows, and each")
    assert {path.name: path.stat().st_mtime_ns for path in kept(finished_copy)} == after
    assert yielded == [10, 10]


def test_what_was_judged_by_other_inputs_or_cut_in_writing_is_judged_again(finished_copy: Context) -> None:
    this = open_round(state_of(finished_copy), 1)
    found = replay(this, ("replay",), 512, lambda *_: silent)
    full = this.folder / "replay" / "replay.json"
    write_json(full, {**read_json(full), "inputs": "other"})
    assert replay(this, ("replay",), 512, lambda *_: silent)[frozenset(["replay"])].inputs == this.inputs
    full.write_text('{"members": [')
    again = replay(this, ("replay",), 512, lambda *_: silent)
    assert again[frozenset(["replay"])].rows == found[frozenset(["replay"])].rows
    assert same_weights(this, again, ("replay",))


def test_what_cannot_be_trained_again_is_refused(finished_copy: Context) -> None:
    root = str(state_of(finished_copy).root)
    with pytest.raises(NotFound, match="round 7"):
        main(["7", "--state", root])
    with pytest.raises(UsageError, match="no pull"):
        main(["1", "--state", root, "--players", "pull"])
    shard = sorted(finished_copy.folder("score").glob("shard-*.targets"))[0]
    items = load_shard(shard, finished_copy.vault)
    items[0].top.logprobs[0, 0] -= 1e-3
    save_shard(shard, items, finished_copy.vault)
    with pytest.raises(Conflict, match="the targets are others"):
        main(["1", "--state", root])
