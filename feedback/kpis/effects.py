"""What an event adds to the KPIs, as verbs of the one call that consumes it (`feedback/store/lua/`).

Pure. Single values are counted by group (number, sum, sum of squares: what the canary reads); a user's row and the
sums over distinct users are `rows.lua`'s; what feedback may name is `targets.lua`'s.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from ab.analysis.sketch import group_of, key_of
from ab.experiment import ExperimentLayer
from ab.guardrails import TAILS
from feedback.events import Exchange, Exposure, Kpi, PhaseArm, Verdict
from feedback.kpis.coalitions import copied_cells, group_of_copies, summed
from feedback.kpis.config import KpisConfig
from feedback.kpis.figures import pairs, product
from feedback.kpis.names import EXACT, FACTS
from feedback.kpis.paired import SCORED, group_of_pairs, score_cells
from feedback.kpis.ratios import products, ratios, tails
from feedback.kpis.trials import judged, live_cells, pair_cells
from feedback.store.keys import RedisKeys
from understudy.ids import short_hash

RedisCommand = list[Any]
DAY = 86_400.0
LAYERS: tuple[ExperimentLayer, ...] = get_args(ExperimentLayer)
OWN = 8
"""Characters of its hash by which a session knows its exchanges again."""


def settings(keys: RedisKeys, config: KpisConfig) -> str:
    """What the verbs must know: names of keys, bounds, which products are summed and which misses counted; JSON."""
    told = [*judged(config).values(), *(one for layer in LAYERS for one in tails(layer).values()), *SCORED]
    together = sorted({*pairs(config), *products(told), *summed()})
    return json.dumps(
        {
            "places": keys.places, "rows": keys.rows, "spilled": keys.spilled, "users": keys.users,
            "cohorts": keys.cohorts, "sums": keys.kpis,
            "targets": keys.targets, "early": keys.early, "days": keys.target_days, "bytes": keys.kpi_bytes,
            "counters": keys.counters, "exposed": keys.exposures, "former": keys.former_targets,
            "late": config.late_days * DAY, "days_kept": math.ceil(config.late_days),
            "targets_bytes": config.target_bytes, "early_bytes": config.early_bytes,
            "row_bytes": config.row_bytes, "tenant_bytes": config.tenant_row_bytes,
            "row_places": config.row_places, "pairs": [[a, b, product(a, b)] for a, b in together],
            "missed": sorted([one.above, one.below, one.missed] for one in told if one.binary and one.below),
            "ratios": {kpi: [one.above, one.below or False] for kpi, one in ratios(config).items()},
        }
    )  # fmt: skip


def sums(keys: RedisKeys, groups: Iterable[str], values: dict[str, float]) -> list[RedisCommand]:
    """Commands that count `values` once in each group, such as `version:v1`."""
    return [["count", f"{keys.kpis}{group}", values] for group in groups]


def exchange_effects(keys: RedisKeys, exchange: Exchange) -> list[RedisCommand]:
    """What one exchange adds: single values, its user's row, and the targets it makes for later feedback.

    A degraded one is no reply of an arm or a version, and counts for its experiments alone; without any for nothing.
    """
    if exchange.degraded and not exchange.experiments:
        return []
    arm, version = ("", "") if exchange.degraded else (exchange.arm, exchange.version)
    groups = [] if exchange.degraded else [f"arm:{arm}", f"version:{version}"]
    groups += [f"experiment:{one.experiment}:{one.arm}" for one in exchange.counts_for]
    commands = sums(keys, groups, exchange_values(exchange))
    if sketched := _sketched(exchange):
        commands += [["add", f"{keys.sketches}{group}", sketched] for group in groups]
    place = _place(arm, version, exchange.counts_for, exchange.rollout, exchange.line)
    target = short_hash(exchange.response_id) if exchange.response_id else ""
    session = short_hash(f"session:{exchange.session}")
    unit = short_hash(exchange.unit)
    own = short_hash(exchange.id)[:OWN]
    reply = ["reply", exchange.tenant, unit, place, exchange.at, cells(exchange), target, session, own]
    reply += _asked((one.experiment, one.covariates) for one in exchange.counts_for)
    return [reply, *commands]  # first: an exchange that its session knows already counts nowhere


def exposure_effects(keys: RedisKeys, exposure: Exposure) -> list[RedisCommand]:
    """A unit that counts for a phase from now on, whether or not any reply is kept; again it changes nothing."""
    place = _place("", "", (PhaseArm(experiment=exposure.experiment, phase=exposure.phase, arm=exposure.arm),), None)
    unit, marks = short_hash(exposure.unit), {"fell_back": 1.0} if exposure.fell_back else {}
    asked = _asked([(exposure.experiment, exposure.covariates)])
    return [["exposed", exposure.tenant, unit, place, exposure.at, marks, *asked]]


def _asked(covariates: Iterable[tuple[str, tuple[tuple[str, str], ...]]]) -> list[dict[str, Any]]:
    """The covariates that are to be kept of a unit that is new to these experiments; nothing where none are."""
    found = {experiment: asked for experiment, asked in covariates if asked}
    return [found] if found else []


def _place(arm: str, version: str, experiments: Iterable[PhaseArm], side: str | None, line: str = "") -> str:
    """What the rows know a place by; see `places.lua`. A line of business is told of experiments alone."""
    phases = [[one.experiment, one.phase, one.arm] for one in experiments]
    return json.dumps([arm, version, phases, side or "", *([line] if line and phases else [])])


def exchange_values(exchange: Exchange) -> dict[str, float]:
    """KPI values of one exchange; abnormal: a server error, or a reply that broke off; flagged: by the guard."""
    abnormal = exchange.status >= 500 or exchange.finish_reason in ("error", "abort")
    values = {"requests": 1.0, "abnormal_termination": float(abnormal)}
    if exchange.flagged:
        values["flagged"] = 1.0
    if exchange.degraded:
        values["degraded_replies"] = 1.0
    if exchange.status == 200:
        values["latency"] = exchange.seconds
        if exchange.ttft is not None:
            values["ttft"] = exchange.ttft
        if exchange.completion_tokens is not None:
            values["completion_tokens"] = float(exchange.completion_tokens)
    return values


def cells(exchange: Exchange) -> dict[str, float]:
    """What one exchange adds to its user's row; the call itself adds `sessions`."""
    values = exchange_values(exchange)
    found = {"requests": 1.0, "abnormal": values["abnormal_termination"]}
    if "latency" in values:
        seconds = values["latency"]
        found |= {"replies": 1.0, "latency": seconds, "latency2": seconds * seconds}
    for one in exchange.counts_for:
        for kpi, limit in one.slow:
            if (taken := values.get(TAILS.get(kpi, ""))) is not None:
                ratio = tails(one.layer)[kpi]
                found |= {str(ratio.below): 1.0, ratio.above: float(taken > limit)}
    if exchange.flagged:
        found["flagged"] = 1.0
    if exchange.degraded:
        found["prebuilt"] = 1.0
    return found | live_cells(exchange)


def feedback_effects(keys: RedisKeys, kpi: Kpi) -> list[RedisCommand]:
    """One value of feedback: joined to its target within the tenant, or kept until the target comes."""
    if kpi.target:
        return [["feedback", kpi.tenant, short_hash(kpi.target), kpi.kpi, kpi.value, kpi.at, short_hash(kpi.id)]]
    groups = [f"arm:{kpi.arm}"] if kpi.arm else []
    groups += [f"version:{kpi.version}"] if kpi.version else []
    return sums(keys, groups, {kpi.kpi: kpi.value})


def verdict_effects(keys: RedisKeys, verdict: Verdict) -> list[RedisCommand]:
    """What a verdict adds to the student's version and arm, to the canary and to experiments it is evidence for."""
    values = {"similarity": verdict.similarity, "hard": float(bool(verdict.failed))}
    values |= {f"failed_{kind}": float(kind in verdict.failed) for kind in verdict.checked}
    values |= {name: float(said) for name, said in ((EXACT, verdict.exact), (FACTS, verdict.facts)) if said is not None}
    values["quality_gap"] = verdict.quality_teacher - verdict.quality_student
    commands = sums(keys, [f"version:{verdict.student}", "arm:student"], values)
    if verdict.rollout and verdict.unit:
        # No arm stands in the place: the user need not have been served there.
        place = _place("", verdict.student, (), verdict.rollout)
        commands.append(["pair", verdict.tenant, short_hash(verdict.unit), place, verdict.at, pair_cells(verdict)])
    scores = score_cells(verdict) if verdict.unit else {}
    for one in verdict.experiments if scores else ():
        place = _place("", verdict.student, (), group_of_pairs(one.experiment, one.phase, verdict.student))
        commands.append(["pair", verdict.tenant, short_hash(verdict.unit), place, verdict.at, scores])
    return commands


def copy_effects(
    keys: RedisKeys, exchange: Exchange, experiment: str, phase: int, versions: tuple[str, str | None],
    replies: Sequence[Mapping[str, float]],
) -> list[RedisCommand]:  # fmt: skip
    """What a copy adds to an experiment whose switches it values: metrics of each reply, of the stable version and of
    the candidate that were asked (`versions`)."""
    place = _place("", versions[0], (), group_of_copies(experiment, phase, *versions))
    return [["pair", exchange.tenant, short_hash(exchange.unit), place, exchange.at, copied_cells(replies)]]


def _sketched(exchange: Exchange) -> dict[str, int]:
    if exchange.status != 200:
        return {}
    group = group_of(exchange.tenant, exchange.unit)
    timed = (("latency", exchange.seconds), ("ttft", exchange.ttft))
    return {f"{name}:{group}:{key_of(value)}": 1 for name, value in timed if value}
