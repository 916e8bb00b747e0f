"""The gate's stage of a round: what the trainer left is read, decided on and remembered."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from deploy.life.config import GateConfig
from deploy.life.deployment import Deployment
from deploy.life.evaluation import Evaluation
from deploy.life.gate import GateDecision, decide
from deploy.life.judged import JudgedStore
from deploy.life.state import GateRecord
from deploy.life.telling import gate_said
from deploy.rounds.record import Round
from understudy.errors import IntegrityError, NotFound
from understudy.files import read_json


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
        try:
            decision = self._decide(current, version)
            passed, reasons, summary = decision.passed, decision.reasons, decision.summary()
            told = {"gate": _record(decision), "caveats": (decision.few,) if decision.few else ()}
        except (OSError, ValueError, ValidationError) as error:
            passed, reasons = False, (f"evaluation.json cannot be read: {error}",)
            summary = {"passed": False, "reasons": reasons}
        except (IntegrityError, NotFound) as error:
            passed, reasons = False, (error.message,)
            summary = {"passed": False, "reasons": reasons}
        if deployment.state.record(version).state == "registered":
            why = "; ".join(reasons) or "better on hard prompts, not worse on general ones"
            told = told or {"gate": GateRecord(passed=False, reasons=reasons)}
            deployment.change(
                (version, "gate_passed" if passed else "gate_failed", why),
                told={version: told},
                seen={"gate": gate_said(summary)},
            )
        event = "rejected" if deployment.state.record(version).state in ("rejected", "bad") else "done"
        deployment.rounds.finish(current.id, "gate", summary, event)

    def _decide(self, current: Round, version: str) -> GateDecision:
        deployment = self._deployment
        evaluation = Evaluation.model_validate(
            read_json(deployment.rounds.folder(current.id, "evaluate") / "evaluation.json")
        )
        deployment.registry.verify(version)
        general = evaluation.of("general")
        self._judged.keep(current.parent, self._parent(current.parent), {r.key: r.parent.exact for r in general})
        former = self._judged.former(current.parent, self._config.promotions_back)
        fingerprint = deployment.has_fingerprint(version)
        decision = decide(evaluation, self._config, fingerprint=fingerprint, former=former)
        if decision.passed:
            self._judged.keep(version, current.parent, {row.key: row.candidate.exact for row in general})
        return decision

    def _parent(self, version: str) -> str | None:
        try:
            return self._deployment.registry.manifest(version).parent
        except NotFound:
            return None


def _record(decision: GateDecision) -> GateRecord:
    return GateRecord(
        passed=decision.passed, general=decision.rows["general"], hard=decision.rows["hard"], reasons=decision.reasons
    )
