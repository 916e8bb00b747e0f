"""What begins a phase of a running experiment, and which version it pins."""

from __future__ import annotations

from typing import Any

from ab.experiment import Experiment
from deploy.life.running.experiments import PHASES, advanced, current, of_live, versions_of
from deploy.life.state import CanaryState, ControlState, Operation, OperationOutcome

HALVES = {"teacher": 0.5, "student": 0.5}


def made(**given: Any) -> Experiment:
    return Experiment.model_validate({"id": "e", "arms": HALVES, **given})


def then(state: ControlState, *active: Experiment, share: float = 0.0, elapsed: float = 0.0) -> ControlState:
    runs, pin, _ = advanced(state, active, share, 100.0 + elapsed, elapsed)
    return state.model_copy(update={"experiments": runs, "pinned": pin})


def told(state: ControlState) -> list[tuple[int, str]]:
    return [(phase.number, phase.why) for phase in state.experiments["e"].phases]


LIVE = ControlState(teacher="t1", stable="v1")


def test_a_phase_begins_with_each_step_of_a_canary_and_with_each_promotion() -> None:
    state = then(LIVE, made())
    canary = state.model_copy(update={"canary": CanaryState(version="v2", step=0)})
    assert then(canary, made()) == canary, "a candidate without a share changes nothing"
    state = then(then(canary, made(), share=0.1), made(), share=0.5)
    state = then(state.model_copy(update={"canary": None, "stable": "v2"}), made())
    assert told(state) == [
        (1, "applied"), (2, "student serves v1, 10% v2"), (3, "student serves v1, 50% v2"), (4, "student serves v2"),
    ]  # fmt: skip
    assert [phase.until for phase in state.experiments["e"].phases] == [100.0, 100.0, 100.0, None]


def test_nothing_begins_a_phase_where_the_layer_changes_nothing() -> None:
    seen = made(layer="observe", arms={"a": 0.5, "b": 0.5})
    state = then(LIVE, seen)
    assert told(then(state.model_copy(update={"stable": "v9"}), seen)) == [(1, "applied")]


def test_a_ramp_goes_on_by_the_clock_of_deadlines_and_begins_anew_with_a_new_run() -> None:
    ramp = made(ramp=[{"hours": 1, "arms": {"teacher": 0.1, "student": 0.9}}])
    state = then(LIVE, ramp, elapsed=1000.0)
    assert told(then(state, ramp, elapsed=4599.0)) == [(1, "applied")]
    state = then(state, ramp, elapsed=4600.0)
    assert told(state) == [(1, "applied"), (2, "shares")]
    assert state.experiments["e"].phases[-1].shares == {"teacher": 0.1, "student": 0.9}
    state = then(then(state, elapsed=5000.0), ramp, elapsed=6000.0)
    assert told(state)[-1] == (3, "shares")
    assert state.experiments["e"].phases[-1].shares == HALVES


def test_one_that_is_stopped_ends_its_phase_and_goes_on_with_a_new_number() -> None:
    state = then(then(LIVE, made()), elapsed=5.0)
    run = state.experiments["e"]
    assert (run.active, run.phases[-1].until) == (False, 105.0)
    assert then(state, elapsed=9.0) == state
    assert told(then(state, made())) == [(1, "applied"), (2, "applied again")]


def test_of_very_many_phases_the_latest_are_kept() -> None:
    state = LIVE
    for n in range(PHASES + 5):
        state = then(state.model_copy(update={"stable": f"v{n}"}), made())
    assert [phase.number for phase in state.experiments["e"].phases] == list(range(6, PHASES + 6))
    assert current(state.experiments, ["e", "other"])["e"].number == PHASES + 5


PINNED = {"student": 0.5, "student:v2": 0.5}


def test_every_version_that_an_arm_served_is_named() -> None:
    state = LIVE.model_copy(update={"canary": CanaryState(version="v2", step=0)})
    (phase,) = then(state, made(), share=0.1).experiments["e"].phases
    assert [versions_of(phase, arm) for arm in ("teacher", "student", "other")] == [["t1"], ["v1", "v2"], []]
    (first,) = then(state.model_copy(update={"stable": None}), made(), share=0.1).experiments["e"].phases
    assert versions_of(first, "student") == ["v2"]


def test_an_arm_pins_its_version_unless_that_is_live_or_bad() -> None:
    file = made(arms=PINNED)
    pinned = then(LIVE, file).pinned
    assert pinned is not None
    assert (pinned.version, pinned.experiment) == ("v2", "e")
    assert then(LIVE.model_copy(update={"stable": "v2"}), file).pinned is None
    bad = then(LIVE.model_copy(update={"bad": {"v2": "broken"}}), file)
    assert (bad.pinned, bad.experiments["e"].phases[-1].versions) == (None, {"student": "v1", "student:v2": "v1"})


def test_a_rollback_takes_the_slot_and_the_pinned_arm_is_the_stable_version_s_until_it_is_applied_anew() -> None:
    file = made(arms=PINNED)
    under_way = Operation(id="r", kind="rollback", source="v1", target="v0", actor="o", started=0.0)
    state = then(then(LIVE, file).model_copy(update={"operation": under_way}), file)
    assert state.pinned is None
    assert state.experiments["e"].phases[-1].versions == {"student": "v1", "student:v2": "v1"}
    over = OperationOutcome(id="r", kind="rollback", source="v1", target="v0")
    state = then(state.model_copy(update={"operation": None, "outcome": over, "stable": "v0"}), file)
    assert (state.pinned, told(state)[-1]) == (None, (3, "student serves v0, student:v2 serves v0"))
    again = then(then(state), file)
    assert again.pinned is not None
    assert again.experiments["e"].phases[-1].versions == {"student": "v0", "student:v2": "v2"}


def test_a_run_whose_beginning_was_lost_goes_on_by_the_time_of_its_phase() -> None:
    ramp = made(ramp=[{"hours": 1, "arms": {"teacher": 0.1, "student": 0.9}}])
    state = then(LIVE, ramp)
    lost = {"e": state.experiments["e"].model_copy(update={"began": None})}
    runs, _, began = advanced(state.model_copy(update={"experiments": lost}), [ramp], 0.0, 100.0 + 3700.0, 7.0)
    assert began == ["e"]
    assert runs["e"].phases[-1].shares == {"teacher": 0.1, "student": 0.9}


def test_what_is_slow_is_frozen_when_a_phase_begins_or_as_soon_as_it_is_known() -> None:
    rails = [{"kpi": "latency_p99", "max_ratio": 1.5}, {"kpi": "ttft_p99", "max_ratio": 2.0}]
    file, known = made(guardrails=rails), dict[tuple[str, str], float]()

    def timed(state: ControlState, share: float = 0.0, experiment: Experiment = file) -> ControlState:
        runs, _, _ = advanced(state, [experiment], share, 100.0, 0.0, lambda version, of: known.get((version, of)))
        return state.model_copy(update={"experiments": runs})

    def slow(state: ControlState) -> list[dict[str, float]]:
        return [phase.slow for phase in state.experiments["e"].phases]

    state = timed(LIVE)
    assert slow(state) == [{}]
    known["t1", "latency"] = 2.0  # the first arm is the teacher
    known["v1", "latency"] = 9.0
    state = timed(state)
    assert slow(state) == [{"latency_p99": 3.0}]
    known["t1", "latency"], known["t1", "ttft"] = 4.0, 0.5
    state = timed(state)
    assert slow(state) == [{"latency_p99": 3.0, "ttft_p99": 1.0}], "what is frozen stays"
    state = timed(state.model_copy(update={"stable": "v2"}))
    assert slow(state)[1:] == [{"latency_p99": 6.0, "ttft_p99": 1.0}]
    other = made(guardrails=[{"kpi": "latency_p99", "max_ratio": 2.0}])
    state = timed(state, experiment=other)
    assert (slow(state)[2:], told(state)[-1]) == ([{"latency_p99": 8.0}], (3, "limits of latency"))
    assert "latency" not in str(timed(LIVE, experiment=made()).experiments["e"].phases[0].slow)
    seen = made(layer="observe", arms={"a": 0.5, "b": 0.5}, guardrails=rails[:1])
    assert slow(timed(LIVE, experiment=seen)) == [{"latency_p99": 13.5}]


def test_a_phase_is_of_the_live_version_when_every_arm_that_follows_was_served_by_it_alone() -> None:
    file = made()
    state = then(LIVE, file)
    state = then(state.model_copy(update={"canary": CanaryState(version="v2", step=0)}), file, share=0.1)
    pure, mixed = state.experiments["e"].phases
    assert (of_live(file, pure, state), of_live(file, mixed, state), of_live(file, None, state)) == (True, False, False)
    later = state.model_copy(update={"canary": None, "stable": "v2"})
    assert not of_live(file, pure, later)
    pinned = made(arms={"teacher": 0.5, "student:v1": 0.5})
    assert of_live(pinned, None, later)
    asked = made(arms={"teacher": 0.5, "candidate": 0.5})
    assert of_live(asked, pure.model_copy(update={"versions": {"teacher": "t1", "candidate": "v2"}}), state)
