"""An experimenter beside the turn of the loop: applies two experiments to its traffic and looks at them all the time.

One asks whether the student is as good as the teacher while it is asked what it was never taught; she stops it once it
says so. The other is an A/A in the layer `observe`, which nobody stops.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import yaml

from serving.control.client import Admin
from trials.system import ROOT
from understudy.errors import UnderstudyError

DRIFT: dict[str, Any] = {
    "id": "student-on-drift",
    "arms": {"teacher": 0.3, "student": 0.7},
    "primary": {"kpi": "first_response_correct", "test": "non_inferiority", "margin": 0.05},
    "stop": {"planned_units": 600},
}
"""The shares that `up` serves anyway, so that the turn is the same with it and without."""
SAME: dict[str, Any] = {
    "id": "nothing-changed",
    "layer": "observe",
    "arms": {"left": 0.5, "right": 0.5},
    "primary": {"kpi": "first_response_correct", "test": "two_sided"},
    "guardrails": [{"kpi": "abnormal_termination", "max_increase": 0}],
    "stop": {"alpha": 0.001, "planned_units": 1000},
}
"""Its level is the share of runs in which chance alone may break the silence; more units than there are users."""
EVERY = 2.0
"""Seconds between two looks."""


def understudy(state: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command on the state directory, as in a second terminal."""
    command = [sys.executable, "-m", "understudy", *words, "--state", str(state)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)


class Experimenter:
    """Looks from its making until its `end`; `looks` are the results that she saw, by experiment.

    `refused` is what the last command said that did not succeed.
    """

    def __init__(self, state: Path, folder: Path) -> None:
        self.looks: dict[str, list[dict[str, Any]]] = {DRIFT["id"]: [], SAME["id"]: []}
        self.refused = ""
        self._state, self._folder = state, folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """No further look."""
        self._over.set()
        self._thread.join(150)

    def _run(self) -> None:
        waiting, stopped = [DRIFT, SAME], False
        while not self._over.wait(EVERY):
            waiting = [one for one in waiting if not self._applied(one)]
            for name in self.looks.keys() - {one["id"] for one in waiting}:
                self._look(name)
            if not stopped and [one["decision"] for one in self.looks[DRIFT["id"]][-1:]] == ["stop for harm"]:
                stopped = self._did("stop", DRIFT["id"], "--why", "it harms")

    def _applied(self, experiment: dict[str, Any]) -> bool:
        if not (self._state / "run" / "addresses.json").exists():
            return False
        file = self._folder / f"{experiment['id']}.yaml"
        file.write_text(yaml.safe_dump(experiment, sort_keys=False), "utf-8")
        return self._did("apply", str(file))

    def _did(self, *words: str) -> bool:
        done = understudy(self._state, "experiment", *words)
        if done.returncode:
            self.refused = f"experiment {words[0]}: {done.stderr}"
        return done.returncode == 0

    def _look(self, name: str) -> None:
        try:
            self.looks[name].append(Admin(self._state).get(f"/experiments/{name}/results"))
        except UnderstudyError:  # it has not begun to answer, or no longer does
            return
