"""Experiments at the control plane: what may be applied, what is said about it, what was counted."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from typing import Any

from ab.analysis.plans import ENOUGH_POWER, foreseen
from ab.applying import changes, refusal, warnings
from ab.experiment import Experiment
from ab.running.phases import Phase
from ab.sequential.effects import Side
from deploy.control.conductor import Conductor
from deploy.control.operations import NOTHING_NOTED, Noted
from deploy.life.document import as_run
from deploy.life.running.experiments import of_live, pinned_versions, versions_of
from deploy.life.running.guarded import guard_warnings
from deploy.life.state import ExperimentRun
from deploy.registry.store import notes_of
from feedback.kpis.arms import history
from feedback.kpis.exporting import columns
from feedback.kpis.ratios import figureless
from serving.control.replies.experiments import (
    ExperimentAppliedReply,
    ExperimentReply,
    ExperimentState,
    ExperimentStoppedReply,
    PlanReply,
)
from serving.control.replies.results import ArmUnits, ExperimentResultsReply
from serving.control.results import on_copies, results, same_prompts
from serving.control.sources import Sources
from understudy.errors import BadRequest, Conflict, NotFound, Unavailable


class UnknownKpi(BadRequest):
    """A KPI that nobody counts."""

    status, code = 422, "unknown_kpi"


class NoFigures(BadRequest):
    """A KPI that is counted, though not by user: no result could come of it."""

    status, code = 422, "no_figures"


class Experiments:
    """The active ones, as gateways have them, and the stopped ones, whose results stay."""

    def __init__(self, conductor: Conductor, sources: Sources) -> None:
        self._conductor = conductor
        self._store = conductor.experiments
        self._sources = sources

    def listed(self) -> list[ExperimentReply]:
        """Every experiment with its state."""
        active = [self._shown(one, "active") for one in self._active()]
        return active + [self._shown(one, "stopped") for one in self._store.stopped()]

    def show(self, name: str) -> ExperimentReply:
        """One of them.

        Raises:
            NotFound: it was never applied.
        """
        return self._shown(*self._find(name))

    def apply(self, wanted: Experiment, noted: Noted = NOTHING_NOTED) -> ExperimentAppliedReply:
        """Begin or replace one; returns its epoch and warnings.

        Raises:
            UnknownKpi: it names one that nobody counts.
            NoFigures: it asks of one that no user has by himself.
            Conflict: it would take units of another, pin a version that cannot be, or change what units are although
                it has some.
            NotFound: it pins a version that there is not.
            Unavailable: whether it has units cannot be read.
        """
        self._check_kpis(wanted)
        self._check_split(wanted)
        with self._conductor.context.lock:
            if why := refusal(wanted, self._active()):
                raise Conflict(f"{wanted.id} cannot be applied: {why}", param="namespace")
            self._check_pins(wanted)
            epoch = self._conductor.acts.apply(wanted, "operator", noted)
        document = self._conductor.document
        aliases = {} if document is None else document.aliases
        said = warnings(wanted, aliases, self._sources.ratios)
        served = any(serve != "teacher" for serve in wanted.serves.values())
        rules = None if document is None else document.guard
        said += guard_warnings(wanted, rules, self._sources.ratios)
        if wanted.layer == "arm" and served and document is not None and document.unfit is not None:
            said.append(f"{document.unfit} is not fit yet: requests of an arm of the student are refused with 503")
        plan = self._foreseen(wanted, said) if wanted.primary is not None else None
        return ExperimentAppliedReply(id=wanted.id, epoch=epoch, warnings=said, plan=plan)

    def plan(self, wanted: Experiment, change: float | None = None, power: float = ENOUGH_POWER) -> PlanReply:
        """What it needs, by what was counted so far.

        Raises:
            UnknownKpi: it names one that nobody counts.
            BadRequest: no primary KPI, no change to notice, or too little history.
            Unavailable: the history cannot be read.
        """
        self._check_kpis(wanted)
        asked = wanted.primary
        ratio = None if asked is None else self._sources.ratios.get(asked.kpi)
        past, per_day = history(ratio, self._sources.arms_before()) if ratio else (Side(), None)
        try:
            return PlanReply.model_validate(foreseen(wanted, past, per_day, change, power))
        except ValueError as error:
            raise BadRequest(str(error)) from None

    def _foreseen(self, wanted: Experiment, said: list[str]) -> PlanReply | None:
        try:
            plan = self.plan(wanted)
        except (BadRequest, Unavailable) as error:
            said.append(f"no plan: {error.message}")
            return None
        if plan.power < ENOUGH_POWER:
            said.append(
                f"{plan.planned_units:,} planned units have a power of {plan.power:.0%}; {plan.units:,} would have 80 %"
            )
        return plan

    def stop(self, name: str, noted: Noted = NOTHING_NOTED) -> ExperimentStoppedReply:
        """Take one out of the traffic; its results stay.

        Raises:
            NotFound: it is not active.
            Conflict: it belongs to the configuration.
        """
        stored = {one.id for one in self._store.all()}
        if name not in stored and any(one.id == name for one in self._active()):
            raise Conflict(f"{name} stands in `router.experiments` of the configuration; take it out there")
        epoch = self._conductor.acts.stop_experiment(name, "operator", noted)
        return ExperimentStoppedReply(id=name, epoch=epoch)

    def results(self, name: str) -> ExperimentResultsReply:
        """What its units say now.

        Raises:
            NotFound: no such experiment.
            Unavailable: the counts cannot be read, which is not the same as none; then nothing is decided.
        """
        plan, state = self._find(name)
        try:
            counted, returning = self._sources.arms(name), self._sources.returning(name)
            pairs, divided = self._sources.paired(name), sum(self._sources.two_arms(name).values())
            lines = self._sources.lines(name)
        except Unavailable as error:
            raise Unavailable(f"no decision on {name}: its counts cannot be read ({error.message})") from None
        deployment = self._conductor.deployment
        now = as_run(deployment.state, deployment.settings)
        run = now.experiments.get(name)
        shares = {} if run is None else {phase.number: phase.shares for phase in run.phases}
        phases = {} if run is None else {phase.number: phase for phase in run.phases}
        live = {number for number in counted if of_live(plan, phases.get(number), now)}
        known = {number: returning.get(number, 0) for number in shares}
        found = results(plan, state, counted, shares, self._sources.ratios, lines, time.time(), known, live)
        arms = {arm: self._with_notes(of, arm, phases.values()) for arm, of in found.arms.items()}
        beside = {"paired": list(same_prompts(plan, phases, pairs)), "copies": list(on_copies(plan, pairs))}
        return found.model_copy(update={**beside, "arms": arms, "two_arms": divided})

    def _with_notes(self, units: ArmUnits, arm: str, phases: Iterable[Phase]) -> ArmUnits:
        versions = {version for phase in phases for version in versions_of(phase, arm)}
        return units.model_copy(update={"notes": notes_of(self._conductor.deployment.folder, versions)})

    def rows(self, name: str, noted: Noted) -> Iterator[str]:
        """Its units' rows as lines of JSON: the columns, a line for each unit and phase, and how many there were.

        Raises:
            NotFound: no such experiment.
            Unavailable: the rows cannot be read.
        """
        covariates = self._find(name)[0].live(self._sources.ratios).covariates
        rows = self._sources.rows(name, covariates)
        context = self._conductor.context
        with context.lock:
            context.deployment.change(notes=(("experiment.exported", "operator", {"id": name, **noted}),))
        return _lines(columns(self._sources.ratios, covariates), rows)

    def _shown(self, experiment: Experiment, state: ExperimentState) -> ExperimentReply:
        return _shown(experiment, state, self._conductor.deployment.state.experiments.get(experiment.id))

    def _active(self) -> tuple[Experiment, ...]:
        document = self._conductor.document
        return self._store.all() if document is None else document.experiments

    def _find(self, name: str) -> tuple[Experiment, ExperimentState]:
        for one in self._active():
            if one.id == name:
                return one, "active"
        for one in self._store.stopped():
            if one.id == name:
                return one, "stopped"
        known = ", ".join(row.id for row in self.listed()) or "none"
        raise NotFound(f"there is no experiment {name!r} (there are: {known})", param="id")

    def _check_pins(self, wanted: Experiment) -> None:
        """Two student versions are resident: the live one, and one more that an experiment may pin."""
        deployment = self._conductor.deployment
        state, versions = deployment.state, pinned_versions(wanted)
        if not versions:
            return
        if deployment.settings.student is not None:
            raise Conflict(
                "`engines.student` is run by somebody else, so no version of ours can be pinned", param="arms"
            )
        for version in versions:
            deployment.registry.manifest(version)
            if version in state.bad:
                raise Conflict(f"{version} is bad: {state.bad[version]}", param="arms")
            if deployment.barred(version):
                raise Conflict(
                    f"{version} is unfit: it was never found to say what the teacher says, and answers nobody",
                    param="arms",
                )
        needed = [version for version in dict.fromkeys(versions) if version != state.stable]
        if len(needed) > 1:
            raise Conflict(
                f"one version beside the live {state.stable} can be loaded, not {', '.join(needed)}", param="arms"
            )
        if needed and state.canary is not None:
            raise Conflict(
                f"the canary of {state.canary.version} has the second slot; wait until it has ended", param="arms"
            )
        if (
            needed
            and state.pinned is not None
            and state.pinned.experiment != wanted.id
            and [state.pinned.version] != needed
        ):
            raise Conflict(f"{state.pinned.experiment} pins {state.pinned.version} in the second slot", param="arms")

    def _check_kpis(self, wanted: Experiment) -> None:
        allowed = self._sources.kpi_names
        for kpi in wanted.kpis:
            if kpi not in allowed:
                names = ", ".join(allowed)
                raise UnknownKpi(f"nobody counts the kpi {kpi!r}; use one of {names} (`kpis.declared` adds names)")
        for why in figureless(wanted, self._sources.ratios):
            raise NoFigures(why)

    def _check_split(self, wanted: Experiment) -> None:
        try:
            former, _ = self._find(wanted.id)
        except NotFound:
            return
        changed = changes(former, wanted)
        if changed and self._sources.exposures(wanted.id):
            keys = ", ".join(f"`{key}`" for key in changed)
            raise Conflict(
                f"{wanted.id} has exposures, and {keys} would change: stop it and use another id", param="id"
            )


def _lines(names: list[str], rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    count = 0
    yield json.dumps({"columns": names}) + "\n"
    for row in rows:
        count += 1
        yield json.dumps(row, ensure_ascii=False) + "\n"
    yield json.dumps({"rows": count}) + "\n"


def _shown(experiment: Experiment, state: ExperimentState, run: ExperimentRun | None) -> ExperimentReply:
    given = experiment.model_dump(mode="json", exclude_none=True)
    return ExperimentReply.model_validate({**given, "state": state, "phases": run.phases if run is not None else ()})
