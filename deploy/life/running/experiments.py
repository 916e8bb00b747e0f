"""When a phase of an experiment begins and ends, and which version an experiment pins in the second slot; pure.

A phase is a time during which nothing changes of who is in which arm and of what the arms serve, so a step of a
canary, a promotion and a rollback begin one, too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from ab.experiment import Experiment
from ab.guardrails import TAILS
from ab.running.phases import Phase, following
from deploy.life.state import ControlState, ExperimentRun, Pin

PHASES = 200
"""Of an experiment, kept; the oldest go first, and what was counted in them stays."""
HOUR = 3600.0
PINNED = "student:"
P99 = Callable[[str, str], float | None]
"""Seconds within which 99 of 100 replies of a version came, or their first bytes (`ttft`); None where nobody knows."""


def advanced(
    state: ControlState, active: Iterable[Experiment], share: float, at: float, elapsed: float,
    p99: P99 = lambda version, of: None, barred: Collection[str] = (),
) -> tuple[dict[str, ExperimentRun], Pin | None, list[str]]:  # fmt: skip
    """The runs as they are to be now, the version that is pinned, and ids of experiments whose phase began.

    `share` is the candidate's, `at` the time for readers, `elapsed` the clock by which a ramp counts; `p99` is frozen
    in a phase as soon as it is known. A version that is `barred` is pinned nowhere, as a bad one: its arm is the stable
    version's.
    """
    barred = {*barred, *state.bad}
    runs, began, pin = dict(state.experiments), [], None
    held = {experiment.id: experiment for experiment in active}
    for name, experiment in held.items():
        run = _going_on(runs.get(name), state, at, elapsed)
        pin = pin or _pin(experiment, run, state, barred)
        last = run.phases[-1] if run.phases else None
        hours = max(0.0, elapsed - (run.began or 0.0)) / HOUR
        phase = following(last, experiment, hours, served(experiment, run, state, share, barred))
        if phase is not None:
            began.append(name)
            run = run.model_copy(update={"phases": _begun(run.phases, phase.model_copy(update={"since": at}), at)})
        runs[name] = _timed(experiment, run, state, p99)
    for name, run in runs.items():
        if name not in held and run.active:
            ended = (*run.phases[:-1], *(_ended(phase, at) for phase in run.phases[-1:]))
            runs[name] = run.model_copy(update={"active": False, "phases": ended})
    return runs, pin, began


def served(
    experiment: Experiment, run: ExperimentRun, state: ControlState, share: float, barred: Collection[str]
) -> dict[str, str]:
    """What each arm serves, such as `v2`, or `v2, 10% v3` while a candidate takes its share of the student's units."""
    return {arm: _served(serve, run, state, share, barred) for arm, serve in experiment.serves.items()}


def versions_of(phase: Phase, arm: str) -> list[str]:
    """Every version that an arm served in a phase."""
    return [said.split()[-1] for said in phase.versions.get(arm, "").split(", ") if said]


def of_live(experiment: Experiment, phase: Phase | None, state: ControlState) -> bool:
    """Whether every arm that follows was served, in a phase, by the version that it follows now, and by it alone."""
    follows = {"student": state.stable, "candidate": state.canary.version if state.canary else state.stable}
    wanted = {arm: follows[serve] for arm, serve in experiment.serves.items() if serve in follows}
    return not wanted or (phase is not None and all(phase.versions.get(arm) == now for arm, now in wanted.items()))


def _timed(experiment: Experiment, run: ExperimentRun, state: ControlState, p99: P99) -> ExperimentRun:
    """With the limits of latency of the present phase that are known by now: its ratio times the first arm's P99.

    Of an arm that a candidate has a share of it is the stable version's; in a layer that changes nothing the stable
    one's, or the teacher's where no student answers.
    """
    phase = run.phases[-1]
    first = phase.versions.get(next(iter(experiment.arms)), state.stable or state.teacher).partition(",")[0]
    found = {kpi: p99(first, TAILS[kpi]) for kpi in phase.ratios if kpi not in phase.slow}
    known = {kpi: round(phase.ratios[kpi] * seconds, 3) for kpi, seconds in found.items() if seconds}
    if not known:
        return run
    return run.model_copy(update={"phases": (*run.phases[:-1], phase.model_copy(update={"slow": phase.slow | known}))})


def pinned_versions(experiment: Experiment) -> list[str]:
    """Versions that its arms name."""
    return [serve.removeprefix(PINNED) for serve in experiment.serves.values() if serve.startswith(PINNED)]


def _served(serve: str, run: ExperimentRun, state: ControlState, share: float, barred: Collection[str]) -> str:
    stable = state.stable or ""
    candidate = state.canary.version if state.canary is not None and share > 0 else None
    if serve == "teacher":
        return state.teacher
    if serve == "candidate":
        return candidate or stable
    if serve == "stable":
        return stable
    if serve.startswith(PINNED):
        version = serve.removeprefix(PINNED)
        return stable if run.fallen or version in barred else version
    return stable if candidate is None else f"{stable}, {share:.0%} {candidate}"


def _going_on(run: ExperimentRun | None, state: ControlState, at: float, elapsed: float) -> ExperimentRun:
    """The run of an experiment that is active; a rollback since it began takes its pinned version away for good."""
    rollback = _latest_rollback(state)
    if run is None or not run.active:
        phases = () if run is None else run.phases
        return ExperimentRun(began=elapsed, rollback=rollback, phases=phases)
    if run.began is None:  # made anew after a loss: the ramp goes on by the wall clock
        passed = max(0.0, at - run.phases[0].since) if run.phases else 0.0
        run = run.model_copy(update={"began": elapsed - passed})
    return run if rollback == run.rollback else run.model_copy(update={"rollback": rollback, "fallen": True})


def _latest_rollback(state: ControlState) -> str:
    """Id of the rollback under way, else of the last operation if it was one."""
    if state.operation is not None and state.operation.kind == "rollback":
        return state.operation.id
    outcome = state.outcome
    return outcome.id if outcome is not None and outcome.kind == "rollback" else ""


def _pin(experiment: Experiment, run: ExperimentRun, state: ControlState, barred: Collection[str]) -> Pin | None:
    """The version that needs the second slot for this experiment."""
    if run.fallen:
        return None
    needed = [v for v in pinned_versions(experiment) if v != state.stable and v not in barred]
    return Pin(version=needed[0], experiment=experiment.id) if needed else None


def _begun(phases: tuple[Phase, ...], new: Phase, at: float) -> tuple[Phase, ...]:
    ended = tuple(_ended(phase, at) for phase in phases[-1:])
    return (*phases[:-1], *ended, new)[-PHASES:]


def _ended(phase: Phase, at: float) -> Phase:
    return phase if phase.until is not None else phase.model_copy(update={"until": at})


def current(runs: Mapping[str, ExperimentRun], names: Iterable[str]) -> dict[str, Phase]:
    """The phase of each experiment that has one."""
    return {name: runs[name].phases[-1] for name in names if name in runs and runs[name].phases}
