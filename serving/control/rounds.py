"""Rounds as the control plane shows them: a line of each, and one with all that its folder says of it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from pydantic import ValidationError

from deploy.life.deployment import Deployment
from deploy.life.evaluation import Evaluation
from deploy.life.slices import slice_changes
from deploy.life.telling import gate_said
from deploy.registry.store import notes_of
from deploy.rounds.leading import prompt_of
from deploy.rounds.lost import LOST, read_lost
from deploy.rounds.outlook import LATEST, seconds_left
from deploy.rounds.record import Round
from deploy.rounds.store import RoundStore
from feedback.privacy.vault import FOLDER, Vault
from serving.control.replies.rounds import LostRow, RoundReport, RoundRow, SliceRow, StageRow

NAME = 80
"""Characters of a cluster's leader that name it."""


def round_row(one: Round) -> RoundRow:
    """A round with its stages."""
    stages = {
        name: StageRow(started=s.started, seconds=round(s.seconds, 3), event=s.event, summary=s.summary)
        for name, s in one.stages.items()
    }
    scored = one.stages["score"].summary if "score" in one.stages else {}
    return RoundRow(
        id=one.id, state=one.state, parent=one.parent, teacher=one.teacher, candidate=one.candidate, why=one.why,
        started=one.started, ended=ended(one), stages=stages,
        gate=gate_said(one.stages["gate"].summary) if "gate" in one.stages else "",
        ended_at=round(one.since, 3) if one.finished else None,
        learned_by=scored.get("learned_by"), not_more=scored.get("not_more", ""),
    )  # fmt: skip


def round_report(deployment: Deployment, number: int) -> RoundReport:
    """What was drawn and why, each slice before and after, what was lost, and when it ends.

    Raises:
        NotFound: there is no round of that number.
    """
    one = deployment.rounds.get(number)
    evaluated = one.stages["evaluate"].summary if "evaluate" in one.stages else {}
    return RoundReport(
        **round_row(one).model_dump(),
        drawn=one.stages["select"].summary if "select" in one.stages else {},
        clusters=_clusters(deployment, number),
        slices={
            name: SliceRow.model_validate({**asdict(change), "tokens": evaluated.get(name, {}).get("tokens", {})})
            for name, change in slice_changes(evaluation_of(deployment.rounds, number)).items()
        },
        lost=[
            LostRow.model_validate(lost.model_dump())
            for lost in read_lost(
                deployment.rounds.file(number, "evaluate", LOST), Vault(deployment.folder.spool / FOLDER)
            )
        ],
        ends_in=ends_in(deployment, one),
        notes=notes_of(deployment.folder, (one.teacher, one.parent, one.candidate)),
    )


def ends_in(deployment: Deployment, one: Round) -> float | None:
    """Seconds until a round ends, as far as its pace, earlier rounds and its budget say."""
    if one.finished:
        return None
    before = deployment.rounds.before(one.id, LATEST)
    canary = sum(step.max_wait_seconds for step in deployment.settings.rollout.steps)
    left = seconds_left(one, deployment.rounds.read_progress(one.id), before, deployment.clock(), canary)
    return None if left is None else round(left, 1)


def ended(one: Round) -> str | None:
    """Why a round ended, None while it goes on."""
    if not one.finished:
        return None
    if one.state == "done":
        return f"{one.candidate} went live"
    summary = one.stages[next(reversed(one.stages))].summary
    return str(summary.get("error") or summary.get("why") or "; ".join(summary.get("reasons", ())) or "no reason given")


def evaluation_of(rounds: RoundStore, number: int) -> Evaluation:
    """What the trainer judged; nothing where it has not yet, or that cannot be read."""
    try:
        raw = rounds.file(number, "evaluate", "evaluation.json").read_bytes()
        return Evaluation.model_validate_json(raw)
    except (OSError, ValidationError):
        return Evaluation(candidate_finite=True)


def _clusters(deployment: Deployment, number: int) -> list[dict[str, Any]]:
    try:
        told = json.loads(deployment.rounds.file(number, "select", "clusters.json").read_bytes())
        vault = Vault(deployment.folder.spool / FOLDER)
        return [_named(entry, vault) for entry in told["clusters"] if isinstance(entry, dict)]
    except (OSError, ValueError, LookupError, TypeError):
        return []


def _named(entry: dict[str, Any], vault: Vault) -> dict[str, Any]:
    """An entry with the beginning of its leader's prompt in the clear, for an operator to read."""
    rest = {name: value for name, value in entry.items() if name not in ("led", "prompt")}
    return rest | {"prompt": prompt_of(entry, vault)[:NAME]}
