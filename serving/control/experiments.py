"""Experiments at the control plane: what may be applied, what is said about it, what was counted."""

from __future__ import annotations

import time

from ab.applying import changes, warnings
from ab.experiment import Experiment
from deploy.control.conductor import Conductor
from deploy.control.operations import NOTHING_NOTED, Noted
from serving.control.replies.experiments import (
    ExperimentAppliedReply,
    ExperimentReply,
    ExperimentState,
    ExperimentStoppedReply,
)
from serving.control.replies.results import ExperimentResultsReply
from serving.control.results import results
from serving.control.sources import Sources
from understudy.errors import BadRequest, Conflict, NotFound, Unavailable


class UnknownKpi(BadRequest):
    """A KPI that nobody counts."""

    status, code = 422, "unknown_kpi"


class Experiments:
    """The active ones, as gateways have them, and the stopped ones, whose results stay."""

    def __init__(self, conductor: Conductor, sources: Sources) -> None:
        self._conductor = conductor
        self._store = conductor.experiments
        self._sources = sources

    def listed(self) -> list[ExperimentReply]:
        """Every experiment with its state; of the active ones the first that matches a request takes it."""
        return [_shown(one, "active") for one in self._active()] + [_shown(o, "stopped") for o in self._store.stopped()]

    def show(self, name: str) -> ExperimentReply:
        """One of them.

        Raises:
            NotFound: it was never applied.
        """
        return _shown(*self._find(name))

    def apply(self, wanted: Experiment) -> ExperimentAppliedReply:
        """Begin or replace one; returns its epoch and warnings.

        Raises:
            UnknownKpi: it names one that nobody counts.
            Conflict: exposures of this id were counted under another split.
            Unavailable: whether there are such exposures cannot be read.
        """
        self._check_kpis(wanted)
        self._check_split(wanted)
        epoch = self._conductor.acts.apply(wanted, "operator")
        document = self._conductor.document
        aliases = {} if document is None else document.aliases
        said = warnings(wanted, self._active(), aliases)
        return ExperimentAppliedReply(id=wanted.id, epoch=epoch, warnings=said)

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
            counted = self._sources.arms(name)
        except Unavailable as error:
            raise Unavailable(f"no decision on {name}: its counts cannot be read ({error.message})") from None
        return results(plan, state, counted, {}, self._sources.ratios, {}, time.time())

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

    def _check_kpis(self, wanted: Experiment) -> None:
        allowed = self._sources.kpi_names
        for kpi in wanted.kpis:
            if kpi not in allowed:
                names = ", ".join(allowed)
                raise UnknownKpi(f"nobody counts the kpi {kpi!r}; use one of {names} (`kpis.declared` adds names)")

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


def _shown(experiment: Experiment, state: ExperimentState) -> ExperimentReply:
    given = experiment.model_dump(mode="json", exclude_none=True)
    return ExperimentReply.model_validate({**given, "state": state})
