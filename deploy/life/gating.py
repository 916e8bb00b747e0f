"""The gate's stage of a round: what the trainer left is read, decided on and remembered."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from deploy.life.config import GateConfig
from deploy.life.deployment import Deployment, outdone
from deploy.life.evaluation import Evaluation
from deploy.life.gate import GateDecision, decide
from deploy.life.judged import JudgedStore
from deploy.life.state import GateRecord
from deploy.life.telling import gate_said
from deploy.life.unfit.fitness import Fitness, judge_unfit
from deploy.rounds.record import Round
from understudy.errors import IntegrityError, NotFound
from understudy.files import read_json

ENDED_AT_GATE = {"rejected": "rejected", "bad": "rejected", "unfit": "learned", "set_aside": "learned"}
"""Event that ends the round's gate, by the candidate's state; else it goes on to the canary."""


class GateStage:
    """Decides on the candidate of a round that has come to its gate."""

    def __init__(self, deployment: Deployment, config: GateConfig) -> None:
        self._deployment = deployment
        self._config = config
        self._judged = JudgedStore(deployment.folder.registry / "judged")

    def run(self, current: Round) -> None:
        """Decide, write the version's record, then end the stage."""
        version, deployment = str(current.candidate), self._deployment
        told: dict[str, Any] = {}
        event, why = "gate_failed", "better on hard prompts, not worse on general ones"
        try:
            decision = self._decide(current, version)
            event, reasons, summary = decision.event, decision.reasons, decision.summary()
            told = _told(decision, deployment.state.record(current.parent).line or current.parent)
        except (OSError, ValueError, ValidationError) as error:
            reasons = (f"evaluation.json cannot be read: {error}",)
            summary = {"passed": False, "reasons": reasons}
        except (IntegrityError, NotFound) as error:
            reasons = (error.message,)
            summary = {"passed": False, "reasons": reasons}
        if deployment.state.record(version).state == "registered":
            absolute = deployment.never_fit(current.parent)
            told = told or {"gate": GateRecord(passed=False, reasons=reasons, absolute=absolute)}
            moves = [(version, event, "; ".join(reasons) or str(summary.get("why", why)))]
            unfit = deployment.state.unfit
            if event == "learned":
                moves, unfit = [*outdone(deployment.state, version), *moves], version
            deployment.change(*moves, told={version: told}, seen={"gate": gate_said(summary)}, unfit=unfit)
        deployment.rounds.finish(
            current.id, "gate", summary, ENDED_AT_GATE.get(deployment.state.record(version).state, "done")
        )

    def _decide(self, current: Round, version: str) -> GateDecision | Fitness:
        deployment = self._deployment
        evaluation = Evaluation.model_validate(
            read_json(deployment.rounds.folder(current.id, "evaluate") / "evaluation.json")
        )
        deployment.registry.verify(version)
        general = evaluation.of("general")
        stable, fingerprint = deployment.state.stable, deployment.has_fingerprint(version)
        if stable != current.parent and deployment.never_fit(current.parent):
            found = judge_unfit(evaluation, self._config, fingerprint=fingerprint, live=stable or "")
            if found.passed:
                self._judged.keep(version, None, {row.key: row.candidate.exact for row in general})
            return found
        self._judged.keep(current.parent, self._parent(current.parent), {r.key: r.parent.exact for r in general})
        former = self._judged.former(current.parent, self._config.promotions_back)
        decision = decide(evaluation, self._config, fingerprint=fingerprint, former=former)
        if decision.passed:
            self._judged.keep(version, current.parent, {row.key: row.candidate.exact for row in general})
        return decision

    def _parent(self, version: str) -> str | None:
        try:
            return self._deployment.registry.manifest(version).parent
        except NotFound:
            return None


def _told(decision: GateDecision | Fitness, line: str) -> dict[str, Any]:
    """What the version's record says of it; `line` is the cut from which its parent comes, where that is unfit."""
    absolute = isinstance(decision, Fitness)
    gate = GateRecord(
        passed=decision.passed, general=decision.rows["general"], hard=decision.rows["hard"],
        reasons=decision.reasons, absolute=absolute,
    )  # fmt: skip
    caveats = (decision.few,) if decision.few else ()
    if decision.event == "learned":
        caveats = (f"unfit: {'; '.join(decision.reasons)}",)
    return {"gate": gate, "caveats": caveats, "line": line if absolute else ""}
