"""Which exchanges are copied to the other arm, and who is asked; pure decisions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from feedback.events import Exchange, PhaseArm
from feedback.kpis.names import trial
from feedback.shadow.asking import Engine
from feedback.shadow.config import ShadowConfig
from understudy.ids import unit_fraction

SAMPLING = ("stop",)
"""Parameters of the client's request that a copy keeps; it is greedy in all else."""

BENT_BY: dict[str, tuple[Any, ...]] = {
    "presence_penalty": (0,), "frequency_penalty": (0,), "repetition_penalty": (1,), "logit_bias": ({},),
    "min_tokens": (0,), "ignore_eos": (False,), "bad_words": ([],), "allowed_token_ids": (),
    "response_format": ({"type": "text"},), "structured_outputs": ({},), "guided_json": (), "guided_regex": (),
    "guided_choice": (), "guided_grammar": (), "use_beam_search": (False,),
}  # fmt: skip
"""Parameters by which a reply is another than the model's own choice at any temperature, with harmless values."""


@dataclass(frozen=True, slots=True)
class Target:
    """A version, and the engine that serves it now."""

    version: str
    engine: Engine


@dataclass(frozen=True, slots=True)
class Valued:
    """An experiment whose switches are valued on a share of its copies, and who answers in some cell of them."""

    share: float
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arms:
    """Who can be asked now, and how often; a view of the routing document."""

    teacher: Target | None = None
    students: Mapping[str, Target] = field(default_factory=dict)
    """By version; only those that a slot serves."""
    stable: str | None = None
    """The version that is compared where no other is meant: the stable one, or the unfit one that learns."""
    candidate: str | None = None
    step: int | None = None
    """Of the canary; None: there is none."""
    to_student: float = 0.5
    to_teacher: float = 0.5
    experiments: Mapping[str, float] = field(default_factory=dict)
    """Shadow rate of each experiment, for its exchanges."""
    coalitions: Mapping[str, Valued] = field(default_factory=dict)
    """Experiments with switches that are valued on copies."""


class Directory(Protocol):
    """Where the worker learns who can be asked; `serving` implements it on the routing document."""

    def arms(self) -> Arms | None:
        """The latest view; None while there is none."""
        ...


@dataclass(frozen=True, slots=True)
class ShadowPlan:
    """What to ask for one pair. An arm that is None is taken from the exchange."""

    teacher: Target | None
    student: Target | None
    max_tokens: int
    sampling: dict[str, Any]
    valued: Valuation | None = None


@dataclass(frozen=True, slots=True)
class Valuation:
    """What a copy says of switches: for which phases of experiments, each with who answers in its cells.

    `stable` and `candidate`: the versions meant. `other`: the student who is asked beside that of the pair.
    """

    phases: tuple[tuple[PhaseArm, tuple[str, ...]], ...]
    stable: str
    candidate: str | None
    other: Target | None


def wanted(exchange: Exchange, arms: Arms) -> bool:
    """Whether the exchange is replayed on the other arm: allowed, comparable, and chosen by hash of its id."""
    comparable = (
        exchange.status == 200
        and exchange.shadow
        and not exchange.flagged
        and not exchange.tools
        and exchange.api == "chat"
        and exchange.finish_reason in ("stop", "length")
        and (exchange.params.get("n") or 1) == 1
        and bool(exchange.messages)
    )
    rate = arms.to_student if exchange.arm == "teacher" else arms.to_teacher
    if exchange.experiment is not None:
        rate = arms.experiments.get(exchange.experiment, rate)
    return comparable and unit_fraction("shadow", exchange.id) < rate


def plan(exchange: Exchange, arms: Arms, config: ShadowConfig) -> ShadowPlan | None:
    """Whom to ask; None while the version needed is not served anywhere.

    A pair is compared on the same prompt and on greedy replies: when surrogates stand in the
    exchange, its reply was not greedy, or coalitions of switches are valued on the copy, so that all of them are asked
    alike, both arms are asked anew and the client's reply is not used.
    """
    anew = exchange.redacted or not is_greedy(exchange.params, config.default_temperature)
    student = _student(exchange, arms, config)
    valued = valuation(exchange, arms, student)
    anew = anew or valued is not None
    ask_teacher = anew or exchange.arm == "student"
    ask_student = anew or exchange.arm == "teacher"
    if (ask_teacher and arms.teacher is None) or (ask_student and student is None):
        return None
    given = exchange.params.get("max_tokens") or exchange.params.get("max_completion_tokens")
    limit = number(given, config.max_tokens)
    return ShadowPlan(
        teacher=arms.teacher if ask_teacher else None,
        student=student if ask_student else None,
        max_tokens=int(min(limit, config.max_tokens)),
        sampling={k: exchange.params[k] for k in SAMPLING if exchange.params.get(k) is not None},
        valued=valued,
    )


def valuation(exchange: Exchange, arms: Arms, student: Target | None) -> Valuation | None:
    """Whether coalitions of switches are valued on a copy whose pair has `student`, by hash of the exchange's id.

    None, too, where one who answers is not served, or the pair's student is neither the stable one nor the candidate.
    """
    stable, candidate = arms.students.get(arms.stable or ""), arms.students.get(arms.candidate or "")
    draw = unit_fraction("coalitions", exchange.id)
    counted = [
        (one, arms.coalitions[one.experiment]) for one in exchange.counts_for if one.experiment in arms.coalitions
    ]
    phases = tuple(
        (one, of.answers) for one, of in counted if draw < of.share and ("candidate" not in of.answers or candidate)
    )
    if not phases or arms.teacher is None or stable is None or student not in (stable, candidate):
        return None
    needed = [stable, candidate] if any("candidate" in answers for _, answers in phases) else [stable]
    other = next((one for one in needed if one is not None and one != student), None)
    return Valuation(phases, stable.version, None if candidate is None else candidate.version, other)


def is_greedy(params: Mapping[str, Any], default_temperature: float) -> bool:
    """Whether each token of the reply was the one that the model itself held likeliest."""
    sampled = number(params.get("temperature"), default_temperature) > 0
    return not sampled and all(params.get(name) in (None, *harmless) for name, harmless in BENT_BY.items())


def number(given: Any, default: float) -> float:
    """What an engine reads from a parameter, which may be a string; `default` where that is no finite number."""
    try:
        value = default if given is None else float(given)
    except (TypeError, ValueError, OverflowError):
        return default
    return value if math.isfinite(value) else default


def _student(exchange: Exchange, arms: Arms, config: ShadowConfig) -> Target | None:
    """The student of a pair: the one that answered, else the candidate for a share, else the stable one."""
    if exchange.arm == "student" and exchange.version in arms.students:
        return arms.students[exchange.version]
    candidate = arms.students.get(arms.candidate or "")
    if candidate is not None and unit_fraction("candidate", exchange.id) < config.to_candidate:
        return candidate
    return arms.students.get(arms.stable or "")


def side(exchange: Exchange, student: str, arms: Arms | None) -> str | None:
    """What side of a canary a pair is evidence for, whose reply came from the version `student`; None: for none.

    A live reply counts where the router's chance put the unit and the version meant has answered. A copy of the
    teacher's exchange counts for the version that chance had asked.
    """
    if arms is None or arms.candidate is None or arms.step is None:
        return None
    meant = arms.candidate == student
    if exchange.arm == "student":
        live = trial(arms.candidate, arms.step, new=meant)
        return live if exchange.rollout == live and student in (arms.candidate, arms.stable) else None
    known = student in (arms.candidate, arms.stable)
    return trial(arms.candidate, arms.step, new=meant, copies=True) if known else None


def comparable_texts(teacher: str, student: str, *, cut: bool) -> tuple[str, str]:
    """Both texts at the same length when one was `cut` by its limit of tokens, else as they are."""
    if not cut:
        return teacher, student
    length = min(len(teacher), len(student))
    return teacher[:length], student[:length]
