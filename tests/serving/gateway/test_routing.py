"""Where a request goes: the pure function."""

from __future__ import annotations

from typing import Any

import pytest

from ab.assignment import bucket
from ab.experiment import Experiment, When
from ab.running.phases import Phase
from deploy.routing.document import RoutingDocument, SlotView
from serving.gateway.routing import Ask, Decision, ModelNotFound, NoArm, model_names, route


def view(version: str | None, ready: bool = True, desired: str | None = None) -> SlotView:
    return SlotView(desired=desired or version, url="http://e", model="m", version=version, ready=ready)


def doc(**fields: Any) -> RoutingDocument:
    slots = {"teacher": view("t1"), "student-a": view("v1"), "student-b": view("v2")}
    return RoutingDocument(**{"epoch": 1, "teacher": "t1", "stable": "v1", "slots": slots, **fields})


def ask(model: str = "auto", user: str | None = "u", **fields: Any) -> Ask:
    return Ask(**{"model": model, "session": "s", "request": "r", "user": user, **fields})


def where(decision: Decision) -> tuple[str, str]:
    return decision.arm, decision.version


def test_names_mean_arms_versions_and_aliases() -> None:
    document = doc(aliases={"bot": "student", "any": "auto"})
    assert where(route(document, ask("teacher"))) == ("teacher", "t1")
    assert where(route(document, ask("student"))) == ("student", "v1")
    assert where(route(document, ask("student:v2"))) == ("student", "v2")
    assert where(route(document, ask("bot"))) == ("student", "v1")
    assert where(route(document, ask("any"))) == ("teacher", "t1")
    for unknown in ("gpt", "student:", "student:v9", "Auto", ""):
        with pytest.raises(ModelNotFound):
            route(document, ask(unknown))


def test_a_slot_that_loads_another_version_serves_nobody() -> None:
    slots = {"teacher": view("t1"), "student-a": view("v1", desired="v3"), "student-b": view("v2", ready=False)}
    document = doc(slots=slots)
    with pytest.raises(NoArm):
        route(document, ask("student"))
    with pytest.raises(ModelNotFound):
        route(document, ask("student:v2"))
    assert model_names(document) == ["auto", "teacher"]


def test_the_default_split_is_sticky_and_of_the_right_size() -> None:
    """20,000 users at 30 %: standard error 0.0032, tolerance four of them."""
    document = doc(default={"teacher": 0.7, "student": 0.3})
    arms = [route(document, ask(user=f"用户{n}")).arm for n in range(20_000)]
    assert abs(arms.count("student") / 20_000 - 0.3) < 0.013
    assert arms[:500] == [route(document, ask(user=f"用户{n}", request="other")).arm for n in range(500)]


def test_the_candidate_gets_its_share_of_the_students_units() -> None:
    document = doc(default={"teacher": 0.5, "student": 0.5}, candidate="v2", candidate_share=0.25)
    before = doc(default={"teacher": 0.5, "student": 0.5})
    for n in range(2000):
        now, then = route(document, ask(user=str(n))), route(before, ask(user=str(n)))
        on_candidate = then.arm == "student" and bucket("v2", str(n)) < 0.25
        assert where(now) == (("student", "v2") if on_candidate else where(then))


def test_where_the_student_has_no_share_the_candidate_takes_from_all() -> None:
    document = doc(candidate="v2", candidate_share=0.25)
    found = [where(route(document, ask(user=str(n)))) for n in range(2000)]
    assert {("student", "v2"), ("teacher", "t1")} == set(found)
    assert found.count(("student", "v2")) == sum(bucket("v2", str(n)) < 0.25 for n in range(2000))
    experiment = Experiment(id="all-teacher", arms={"teacher": 1.0})
    inside = doc(candidate="v2", candidate_share=1.0, experiments=(experiment,))
    assert route(inside, ask()).arm == "teacher"


def test_an_explicit_student_is_the_stable_one() -> None:
    document = doc(candidate="v2", candidate_share=1.0)
    assert where(route(document, ask("student"))) == ("student", "v1")


@pytest.mark.parametrize(
    ("when", "fields", "model", "takes_part"),
    [
        (When(alias="bot"), {}, "bot", True),
        (When(alias="bot"), {}, "auto", False),
        (When(tenant="shop"), {"tenant": "shop"}, "auto", True),
        (When(tenant="shop"), {}, "auto", False),
        (When(header={"X-Beta": "1"}), {"headers": {"x-beta": "1"}}, "auto", True),
        (When(header={"X-Beta": "1"}), {"headers": {"x-beta": "0"}}, "auto", False),
        (When(header={"X-Beta": "1"}), {}, "auto", False),
    ],
)
def test_experiments_match_by_alias_tenant_and_header(
    when: When, fields: dict[str, Any], model: str, takes_part: bool
) -> None:
    experiment = Experiment(id="e", arms={"student": 1.0}, when=when)
    decision = route(doc(experiments=(experiment,), aliases={"bot": "auto"}), ask(model, **fields))
    assert (decision.experiment == "e") == takes_part
    assert (decision.arm == "student") == takes_part


def test_units_are_user_session_or_request_and_derived_ones_are_marked() -> None:
    def unit(kind: Any, **fields: Any) -> tuple[str, bool]:
        experiment = Experiment(id="e", arms={"teacher": 1.0}, unit=kind)
        decision = route(doc(experiments=(experiment,)), ask(**fields))
        return decision.unit, decision.unit_derived

    assert unit("user") == ("u", False)
    assert unit("user", user=None) == ("s", True)
    assert unit("session") == ("s", False)
    assert unit("session", session_derived=True) == ("s", True)
    assert unit("request") == ("r", False)


def test_the_other_arm_stands_in_and_the_exposure_stays() -> None:
    experiment = Experiment(id="e", arms={"student": 1.0})
    document = doc(slots={"teacher": view("t1")}, experiments=(experiment,))
    decision = route(document, ask())
    assert (decision.arm, decision.assigned) == ("teacher", "student")
    assert route(doc(slots={"student-a": view("v1")}), ask()).arm == "student"
    with pytest.raises(NoArm):
        route(doc(slots={"student-a": view("v1")}), ask("teacher"))
    with pytest.raises(NoArm):
        route(doc(slots={}), ask())


def test_a_missing_candidate_gives_way_to_the_stable_version() -> None:
    document = doc(slots={"teacher": view("t1"), "student-a": view("v1")}, candidate="v2", candidate_share=1.0)
    assert where(route(document, ask())) == ("student", "v1")


def test_a_frozen_student_leaves_everything_to_the_teacher() -> None:
    document = doc(frozen=("student",), default={"student": 1.0})
    for model in ("auto", "student", "student:v1", "teacher"):
        assert route(document, ask(model)).arm == "teacher"
    assert route(document, ask()).assigned == "student"


def trying(**fields: Any) -> RoutingDocument:
    """v2 at half of the student's users."""
    given = {"candidate": "v2", "candidate_share": 0.5, "candidate_step": 1, "candidate_slow": 0.8}
    return doc(**{"default": {"student": 1.0}, **given, **fields})


def test_units_that_chance_divides_are_on_a_side_of_the_canary_and_others_are_not() -> None:
    document = trying()
    for n in range(50):
        found = route(document, ask(user=f"u{n}"))
        assert found.rollout == f"v2:1:{'new' if found.version == 'v2' else 'old'}"
        assert found.slow_after == 0.8
    for name in ("student", "student:v2", "teacher"):
        assert (route(document, ask(name)).rollout, route(document, ask(name)).slow_after) == (None, None)
    halves = trying(default={"teacher": 0.5, "student": 0.5})
    told = [route(halves, ask(user=f"u{n}")) for n in range(50)]
    assert all((one.rollout is None) == (one.assigned == "teacher") for one in told)
    assert {one.rollout for one in told} == {None, "v2:1:new", "v2:1:old"}


def test_without_a_student_s_share_the_canary_is_compared_with_what_its_users_had_else() -> None:
    told = [route(trying(default={"teacher": 1.0}), ask(user=f"u{n}")) for n in range(50)]
    assert {(one.version, one.rollout) for one in told} == {("v2", "v2:1:new"), ("t1", "v2:1:old")}
    first = trying(stable=None)
    told = [route(first, ask(user=f"u{n}")) for n in range(50)]
    assert {(one.version, one.rollout) for one in told} == {("v2", "v2:1:new"), ("t1", "v2:1:old")}


def test_a_unit_keeps_its_side_when_its_arm_has_failed() -> None:
    document = trying()
    user = next(f"u{n}" for n in range(50) if route(document, ask(user=f"u{n}")).version == "v2")
    found = route(document, ask(user=user), avoid="student")
    assert (found.version, found.rollout) == ("t1", "v2:1:new")


@pytest.mark.parametrize("away", ["student-a", "student-b"])
def test_nobody_is_on_a_side_while_one_of_the_sides_has_no_engine(away: str) -> None:
    slots = {name: one for name, one in trying().slots.items() if name != away}
    assert {route(trying(slots=slots), ask(user=f"u{n}")).rollout for n in range(50)} == {None}
    assert route(trying(frozen=("student",)), ask()).rollout is None
    assert route(trying(candidate_step=None), ask()).rollout is None


def trial(**fields: Any) -> Experiment:
    return Experiment.model_validate({"id": "e", "arms": {"teacher": 0.5, "student": 0.5}, **fields})


def test_experiments_of_two_layers_hold_at_once_and_the_one_that_decides_is_first() -> None:
    seen = trial(id="a-seen", layer="observe", arms={"left": 0.5, "right": 0.5})
    document = doc(experiments=(seen, trial(id="z-arms")))
    decisions = [route(document, ask(user=str(n))) for n in range(400)]
    assert {tuple(one.experiment for one in d.taken) for d in decisions} == {("z-arms", "a-seen")}
    assert {d.experiment for d in decisions} == {"z-arms"}
    assert len({(d.arm, d.taken[1].arm) for d in decisions}) == 4
    alone = doc(experiments=(trial(id="z-arms"),))
    assert [where(route(alone, ask(user=str(n)))) for n in range(400)] == [where(d) for d in decisions]


def test_ranges_of_a_layer_part_its_units() -> None:
    document = doc(experiments=(trial(id="low", namespace=[0, 0.3]), trial(id="high", namespace=[0.6, 1])))
    names = [d.experiment for d in (route(document, ask(user=str(n))) for n in range(10_000))]
    assert abs(names.count("low") / 10_000 - 0.3) < 0.02
    assert abs(names.count("high") / 10_000 - 0.4) < 0.02
    assert abs(names.count(None) / 10_000 - 0.3) < 0.02


@pytest.mark.parametrize(
    ("serve", "meant", "instead"),
    [
        ("student:v2", ("student", "v2"), ("student", "v1")),
        ("candidate", ("student", "v2"), ("student", "v1")),
        ("student", ("student", "v1"), ("teacher", "t1")),
        ("teacher", ("teacher", "t1"), ("student", "v1")),
    ],
)
def test_arms_serve_what_they_say_and_what_stands_in_is_known(
    serve: str, meant: tuple[str, str], instead: tuple[str, str]
) -> None:
    file = trial(arms={"control": {"share": 1, "serve": serve}})
    document = doc(experiments=(file,), candidate="v2")
    found = route(document, ask())
    assert (where(found), found.fell_back, found.taken[0].arm) == (meant, False, "control")
    slots = {name: slot for name, slot in document.slots.items() if slot.version != meant[1]}
    fallen = route(document.model_copy(update={"slots": slots}), ask())
    assert (where(fallen), fallen.fell_back, fallen.taken[0].arm) == (instead, True, "control")
    assert fallen.assigned == meant[0]


def test_an_arm_of_the_candidate_is_the_live_student_s_while_there_is_none() -> None:
    found = route(doc(experiments=(trial(arms={"candidate": 1}),)), ask())
    assert (where(found), found.fell_back) == (("student", "v1"), False)


def test_where_there_is_no_student_at_all_its_arm_has_fallen_back() -> None:
    found = route(doc(experiments=(trial(arms={"student": 1}),), stable=None, slots={"teacher": view("t1")}), ask())
    assert (where(found), found.assigned, found.fell_back) == (("teacher", "t1"), "student", True)


def test_the_phase_of_the_document_decides_who_is_where() -> None:
    phase = Phase(number=4, arms={"teacher": (), "student": ((0.0, 1.0),)}, force={"tester": "teacher"},
                  slow={"latency_p99": 1.5})  # fmt: skip
    document = doc(experiments=(trial(),), phases={"e": phase})
    decisions = [route(document, ask(user=str(n))) for n in range(50)]
    assert {(d.arm, d.taken[0].phase, d.taken[0].counted) for d in decisions} == {("student", 4, True)}
    assert (decisions[0].taken[0].layer, decisions[0].taken[0].slow) == ("arm", {"latency_p99": 1.5})
    assert decisions[0].taken[0].covariates == ()
    asked = {
        "primary": {"kpi": "click", "covariate": "click_before"},
        "secondary": [{"kpi": "rating", "covariate": "x"}],
    }
    adjusted = trial(**asked)
    told = route(doc(experiments=(adjusted,)), ask()).taken[0].covariates
    assert told == (("click", "click_before"),), "of rows alone is what is not kept of units"
    tester = route(document, ask(user="tester"))
    assert (tester.arm, tester.taken[0].counted) == ("teacher", False)


def test_a_user_who_had_to_be_derived_is_served_and_left_out() -> None:
    found = route(doc(experiments=(trial(),)), ask(user=None))
    assert (found.unit_derived, found.taken[0].counted) == (True, False)
    session = route(doc(experiments=(trial(unit="session"),)), ask(user=None, session_derived=True))
    assert (session.unit_derived, session.taken[0].counted) == (True, True)


def test_the_cells_of_a_factorial_answer_as_their_switches_say() -> None:
    experiment = Experiment.model_validate({"id": "f", "switches": {"routing": 0.5, "candidate": 0.5}})
    document = doc(candidate="v2", candidate_share=1.0, candidate_step=0, experiments=(experiment,))
    wanted = {
        "none": ("teacher", "t1"), "candidate": ("teacher", "t1"), "routing": ("student", "v1"),
        "routing+candidate": ("student", "v2"),
    }  # fmt: skip
    seen = set()
    for n in range(200):
        found = route(document, ask(user=str(n)))
        (part,) = found.taken
        assert where(found) == wanted[part.arm]
        assert (found.experiment, found.rollout, found.fell_back) == ("f", None, False)
        seen.add(part.arm)
    assert seen == set(wanted)


def test_without_a_candidate_its_switch_means_the_stable_student() -> None:
    experiment = Experiment.model_validate({"id": "f", "switches": {"candidate": 0.5}})
    found = [route(doc(experiments=(experiment,)), ask(user=str(n))) for n in range(50)]
    assert {where(one) for one in found} == {("student", "v1")}
    assert {one.taken[0].arm for one in found} == {"none", "candidate"}


def test_switches_that_are_valued_on_copies_alone_serve_nobody_another_reply() -> None:
    valued = {"id": "f", "layer": "observe", "switches": {"routing": 0.5, "candidate": 0.5},
              "shadow": {"coalitions": 1}}  # fmt: skip
    given: dict[str, Any] = {"candidate": "v2", "candidate_share": 0.3, "candidate_step": 0}
    document = doc(experiments=(Experiment.model_validate(valued),), **given)
    cells = set()
    for n in range(100):
        found = route(document, ask(user=str(n)))
        assert where(found) == where(route(doc(**given), ask(user=str(n))))
        (part,) = found.taken
        assert (part.counted, part.layer, found.experiment) == (True, "observe", None)
        cells.add(part.arm)
    assert cells == {"none", "candidate", "routing", "routing+candidate"}


LINES = (
    ("shop", When(alias="bot")),
    ("bank", When(header={"X-Line": "bank"})),
    ("late", When(tenant="t")),
)


@pytest.mark.parametrize(
    ("model", "fields", "line"),
    [
        ("bot", {"tenant": "t", "headers": {"x-line": "bank"}}, "shop"),
        ("auto", {"headers": {"x-line": "bank"}}, "bank"),
        ("auto", {}, "other"),
        ("teacher", {"headers": {"x-line": "bank"}}, ""),
    ],
)
def test_a_request_is_of_the_first_line_that_takes_it(model: str, fields: dict[str, Any], line: str) -> None:
    aliases = {"bot": "auto"}
    assert route(doc(lines=LINES, aliases=aliases), ask(model, **fields)).line == line
    assert route(doc(aliases=aliases), ask(model, **fields)).line == ""
