"""From the gate to live: the controller's stages of a round, driven by the table of a version's life.

The version's record is written first and the round's marker after it, so a controller that is killed in
between finishes the marker when it comes back.
"""

from __future__ import annotations

from typing import Any

from ab.sequential.rollout import breach
from deploy.life.config import LATENCY, GateConfig
from deploy.life.deployment import Deployment, outdone
from deploy.life.gating import GateStage
from deploy.life.harm import both_arms, exposures, findings, told
from deploy.life.pairs import judge_pairs
from deploy.life.rollout import BY_EXPOSURES, BY_TIMEOUT, allows, judge
from deploy.life.state import CanaryState, ControlState
from deploy.life.telling import gate_said
from deploy.rounds.record import Round
from feedback.kpis.trials import Phases

ENDED = {
    "live": "done",
    "previous": "done",
    "rolled_back": "rejected",
    "bad": "rejected",
    "rejected": "rejected",
}
"""Event that ends the round's canary, by the candidate's state."""


class Canary:
    """Gate, load, steps and promotion of the candidate of the current round."""

    def __init__(self, deployment: Deployment, gate: GateConfig) -> None:
        self._deployment = deployment
        self._config = gate
        self._gate = GateStage(deployment, gate)
        self._away_since: float | None = None

    def tick(self) -> None:
        """Do what is due; called a few times a second."""
        current = self._deployment.rounds.current()
        if current is not None and current.candidate is not None:
            if current.state == "gate":
                self._gate.run(current)
            elif current.state == "canary":
                self._reconcile(current)
        if self._deployment.state.canary is not None and self._deployment.state.operation is None:
            self._drive(self._deployment.state.canary)

    def published(self, epoch: int, seconds: float) -> None:
        """The document with the promoted version is out and followed: close the round."""
        current = self._deployment.rounds.current()
        if current is not None and current.state == "live" and current.candidate == self._deployment.state.stable:
            self._deployment.rounds.finish(current.id, "live", {"epoch": epoch, "seconds_to_follow": round_to(seconds)})
        elif current is not None and current.state == "live":
            self._deployment.rounds.finish(
                current.id, "live", {"epoch": epoch, "note": "another version is live already"}
            )

    def abort(self, why: str, actor: str) -> None:
        """Take the candidate out, for good."""
        canary = self._deployment.state.canary
        if canary is not None:
            self._deployment.change((canary.version, "aborted", why), actor=actor, decided_by=actor, canary=None)

    def withdraw(self, version: str, why: str, actor: str) -> None:
        """Take a round's candidate out, wherever it is before it is live; one that is out already stays as it is."""
        was, canary = self._deployment.state.record(version).state, self._deployment.state.canary
        if canary is not None and canary.version == version:
            self.abort(why, actor)
        elif was in ("registered", "gated"):
            event = "gate_failed" if was == "registered" else "aborted"
            self._deployment.change((version, event, why), actor=actor, decided_by=actor)

    def _reconcile(self, current: Round) -> None:
        """Begin the canary of a gated candidate, or close the stage of one whose fate is decided."""
        deployment, version = self._deployment, str(current.candidate)
        record = deployment.state.record(version)
        if record.state in ENDED:
            why = record.history[-1]["why"] if record.history else ""
            summary = {"decided_by": record.decided_by, "why": why, "steps": list(record.steps)}
            deployment.rounds.finish(current.id, "canary", summary, ENDED[record.state])
        elif record.state == "gated" and self._may_begin():
            canary = CanaryState(version=version, round=current.id).model_copy(update=self._now())
            deployment.change((version, "wanted", f"round {current.id}"), canary=canary)

    def _may_begin(self) -> bool:
        state = self._deployment.state
        free = (
            state.operation is None
            and state.canary is None
            and state.pinned is None
            and self._deployment.settings.student is None
        )
        return free and "promotion" not in state.frozen and not self._deployment.audit.trouble

    def _drive(self, canary: CanaryState) -> None:
        if canary.step < 0:
            self._load(canary)
            return
        self._say(canary)
        phases = self._deployment.evidence.trial(canary.version)
        if "promotion" in self._deployment.state.frozen or phases is None:
            return  # without figures neither harm nor success can be seen, so the step goes on
        if canary.slow is None:
            canary = self._timed(canary)
        settings = self._deployment.settings
        step = settings.rollout.steps[min(canary.step, len(settings.rollout.steps) - 1)]
        seen, waited = exposures(phases, canary.step), self._deployment.waited(canary.began)
        if not self._ready(canary.version):
            return
        found = findings(phases, settings.rollout, settings.kpis)
        judgement = judge(step, seen, waited, breach(found), self._no_time_out(canary.version))
        if judgement.outcome == "wait":
            return
        done = {"share": step.served, "exposures": seen, "seconds": round_to(waited), "why": judgement.why}
        done["guardrails"] = told(found)
        if judgement.outcome == "breach":
            with self._deployment.reserve.spending():
                self._deployment.change(
                    (canary.version, "breached", judgement.why),
                    canary=None,
                    decided_by="guardrail",
                    steps=(*canary.steps, done),
                    seen={"canary": [*canary.steps, done]},
                )
        elif judgement.outcome == "advance" and not self._deployment.audit.trouble:
            self._advance(canary, done, phases)
        elif judgement.outcome == "hold" and canary.note != "hold":
            held = ("rollout.hold", "controller", {"version": canary.version, "why": judgement.why})
            self._deployment.change(notes=(held,), canary=canary.model_copy(update={"note": "hold"}))

    def _timed(self, canary: CanaryState) -> CanaryState:
        """Freeze what counts as slow in this step, as soon as it is known: the rollout's multiple of a P99.

        It is the stable version's, or the teacher's where no student answered before.
        """
        state, evidence = self._deployment.state, self._deployment.evidence
        ratio = next(rail.max_ratio for rail in self._deployment.settings.rollout.guardrails if rail.kpi == LATENCY)
        known = (None if state.stable is None else evidence.p99(state.stable)) or evidence.p99(state.teacher)
        if not known or ratio is None:
            return canary
        timed = canary.model_copy(update={"slow": round_to(ratio * known)})
        self._deployment.change(canary=timed)
        return timed

    def _load(self, canary: CanaryState) -> None:
        deployment = self._deployment
        if deployment.ready(canary.version):
            first = canary.model_copy(update={"step": 0, **self._now()})
            deployment.change((canary.version, "loaded", "loaded and verified in its slot"), canary=first)
        elif deployment.waited(canary.began) > deployment.settings.rollout.load_deadline:
            seconds = deployment.settings.rollout.load_deadline
            self.abort(f"not loaded within {seconds:g} s", "controller")

    def _now(self) -> dict[str, float]:
        """Stamps of a step, or a load, that begins."""
        return {"since": self._deployment.clock(), "began": self._deployment.elapsed()}

    def _ready(self, version: str) -> bool:
        """Whether the candidate can serve; without a slot for too long it is taken out."""
        now = self._deployment.elapsed()
        if self._deployment.ready(version):
            self._away_since = None
            return True
        if self._away_since is None:
            self._away_since = now
        elif now - self._away_since > self._deployment.settings.rollout.load_deadline:
            seconds = self._deployment.settings.rollout.load_deadline
            self.abort(f"its slot was not ready for {seconds:g} s", "controller")
        return False

    def _no_time_out(self, version: str) -> str | None:
        """Why a version may not be promoted for want of traffic: then the gate is all that is known of it."""
        gate, least = self._deployment.state.record(version).gate, self._config.general_rows
        if gate is None or not gate.passed:
            return "no gate that it passed is on record"
        return None if gate.general >= least else f"its gate saw {gate.general} general rows, fewer than {least}"

    def _advance(self, canary: CanaryState, done: dict[str, Any], phases: Phases) -> None:
        gate, settings = self._deployment.state.record(canary.version).gate, self._deployment.settings
        pairs = judge_pairs(both_arms(phases, settings.rollout.guardrails, settings.kpis), self._config)
        done["pairs"] = pairs.figures
        if done["why"] == BY_TIMEOUT and gate is not None:
            done["gate"] = f"passed on {gate.general} general rows"
        steps = (*canary.steps, done)
        if canary.step + 1 < len(settings.rollout.steps):
            further = {"step": canary.step + 1, "steps": steps, "slow": None, "note": "", **self._now()}
            note = ("rollout.step", "controller", {"version": canary.version, **done})
            self._deployment.change(notes=(note,), canary=canary.model_copy(update=further))
            return
        by = BY_TIMEOUT if any(s["why"] == BY_TIMEOUT for s in steps) else BY_EXPOSURES
        self._promote(canary, by, steps, pairs.unknown)

    def _promote(self, canary: CanaryState, by: str, steps: tuple[dict[str, Any], ...], unknown: str) -> None:
        state = self._deployment.state
        moves = [(canary.version, "promoted", _told(steps))]
        if state.stable is not None and allows(state.record(state.stable).state, "superseded"):
            moves.insert(0, (state.stable, "superseded", f"by {canary.version}"))
        moves = [*outdone(state, canary.version), *moves]
        self._deployment.change(
            *moves, decided_by=by, steps=steps, stable=canary.version, canary=None,
            previous=former(state, canary.version),
            told={canary.version: {"caveats": (unknown,) if unknown else ()}},
            seen={"gate": self._gate_said(canary), "canary": list(steps)},
        )  # fmt: skip

    def _gate_said(self, canary: CanaryState) -> str:
        """What the gate saw of the candidate, in words."""
        if canary.round is None:
            return "no round of this installation judged it"
        gate = self._deployment.rounds.get(canary.round).stages.get("gate")
        return "its round has no gate on record" if gate is None else gate_said(gate.summary)

    def _say(self, canary: CanaryState) -> None:
        """Tell the views how far the step is."""
        if canary.round is None:
            return
        config = self._deployment.settings.rollout
        step = config.steps[min(canary.step, len(config.steps) - 1)]
        waited = self._deployment.waited(canary.began)
        note = f"step {canary.step + 1} of {len(config.steps)}, {step.served:.0%}"
        self._deployment.rounds.progress(
            canary.round, "canary", min(waited, step.max_wait_seconds), step.max_wait_seconds, note
        )


def former(state: ControlState, now: str) -> tuple[str, ...]:
    """Up to three former stable versions once `now` has taken over, latest first, none that is bad."""
    line = [v for v in (state.stable, *state.previous) if v is not None and v != now and v not in state.bad]
    return tuple(dict.fromkeys(line))[:3]


def round_to(seconds: float) -> float:
    """Seconds to the millisecond."""
    return round(seconds, 3)


def _told(steps: tuple[dict[str, Any], ...]) -> str:
    return "; ".join(f"{s['share']:.0%}: {s['exposures']} exposures in {s['seconds']:g} s ({s['why']})" for s in steps)
