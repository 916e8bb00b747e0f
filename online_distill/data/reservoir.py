"""What the trainer keeps from round to round: clusters and, of each, rows for replay and rows to judge on.

A file beside the rounds, bounded, so that old kinds and quiet ones are there when the pool has forgotten them.
Which rows stay is a function of their ids alone: to keep the same ones again changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.rounds.leading import ClusterLeader, opened, stored
from feedback.pool.general import is_general
from feedback.privacy.vault import Vault
from online_distill.data.clusters import Clusters
from online_distill.data.config import DataConfig
from online_distill.data.rows import Row, lines_of, rows_of
from online_distill.data.selecting import balanced, is_held_out, prompt_key
from understudy.files import write_atomic

REPLAY = 6000
"""Rows for replay, at most."""
FORGOTTEN = {"why": "kept", "student_text": "", "known": False}
"""What a row says of one round alone."""
JUDGED = 3
"""Times as many held-out rows are kept as a round is judged on."""


@dataclass(slots=True)
class Reservoir:
    """Rows by the key of their prompt, and the clusters that their prompts belong to."""

    clusters: Clusters = field(default_factory=Clusters)
    rows: list[Row] = field(default_factory=list)
    anew: bool = False
    """Whether its file was damaged."""

    def keep(self, rows: Iterable[Row], config: DataConfig, judged: Iterable[Row] = ()) -> None:
        """Take rows in, a prompt once, and let go of what is beyond the bounds. A round is judged on `judged`."""
        first = {prompt_key(row): row.model_copy(update=FORGOTTEN | {"judged": True}) for row in judged}
        for row in (*self.rows, *rows):
            first.setdefault(prompt_key(row), row.model_copy(update=FORGOTTEN))
        held = [row for row in first.values() if is_held_out(row.exchange, row.cluster, config)]
        free = [row for row in first.values() if not is_held_out(row.exchange, row.cluster, config)]
        self.rows = [
            *balanced(
                (row for row in held if row.role == "anchor" and is_general(row.exchange)),
                JUDGED * config.holdout_general,
            ),
            *balanced((row for row in held if row.role == "hard"), JUDGED * config.holdout_hard),
            *balanced((row for row in free if row.role == "anchor"), REPLAY),
        ]

    def forget(self, purged: Mapping[str, float]) -> None:
        """Let go of the tenants' rows up to the times given (seconds since the epoch)."""
        self.rows = [row for row in self.rows if row.at > purged.get(row.tenant, float("-inf"))]

    def forget_teachers(self, teacher: str, since: float = 0.0) -> list[str]:
        """Let go of rows whose text is not known to be `teacher`'s, as of `since`; returns their ids."""
        gone = [row.id for row in self.rows if row.teacher != teacher or row.at < since]
        self.rows = [row for row in self.rows if row.teacher == teacher and row.at >= since]
        return gone

    def general(self) -> Sequence[Row]:
        """Rows for replay, and general ones to judge on."""
        return [row for row in self.rows if row.role == "anchor"]

    def hard(self) -> Sequence[Row]:
        """Held-out rows that a former student failed."""
        return [row for row in self.rows if row.role == "hard"]

    def save(self, path: Path, vault: Vault | None = None) -> None:
        """Write the file, whole or not at all."""
        head = json.dumps({"schema_version": 2, "led": [stored(leader, vault) for leader in self.clusters.led]})
        write_atomic(path, b"".join(line + b"\n" for line in (head.encode(), *lines_of(self.rows, vault))))


def load_reservoir(path: Path, reserved: float = 0.2, vault: Vault | None = None) -> Reservoir:
    """The reservoir of a file; an empty one where there is none, or it is damaged: that one is moved aside.

    What an exchange's own hash holds out stays held out then, too. `reserved`: share of the clusters that are
    never trained on.
    """
    salt = (lambda tenant: vault.salted(tenant, "clusters")) if vault else (lambda tenant: "")
    if not path.is_file():
        return Reservoir(Clusters(reserved=reserved, salt=salt))
    try:
        head, *lines = path.read_bytes().split(b"\n")
        rows = list(rows_of(lines, vault))
        known = json.loads(head)
        return Reservoir(Clusters(_led(known, vault, reserved), reserved=reserved, salt=salt), rows)
    except (ValueError, KeyError, TypeError):
        path.replace(path.with_suffix(".damaged"))
        return Reservoir(Clusters(reserved=reserved, salt=salt), anew=True)


def _led(head: dict[str, Any], vault: Vault | None, reserved: float) -> list[ClusterLeader]:
    """Who leads, as this release wrote it, or the one before, which neither sealed nor wrote down ids."""
    if "led" in head:
        return [opened(leader, vault) for leader in head["led"]]
    owners = [*head.get("owners", ()), *[""] * len(head["leaders"])]
    former = zip(head["leaders"], owners, strict=False)
    led = [ClusterLeader(id="", tenant=owner or "default", prompt=prompt) for prompt, owner in former]
    return Clusters(led, reserved=reserved).led
