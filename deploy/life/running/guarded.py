"""What an experimenter should know who turns the guard off for some users and compares them with the others. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ab.experiment import Experiment
from ab.switches import GUARD
from deploy.routing.guarding import GuardRules
from feedback.kpis.ratios import CellRatio

NEVER_COPIED = "pairs and copies say nothing of the guard: what it flags or degrades is never copied"
OWN = "as `guard.mode` of the gateways says"
"""Of tenants of whom the routing document says nothing."""


def guard_warnings(
    wanted: Experiment, rules: GuardRules | None, known: Mapping[str, CellRatio]
) -> Iterator[str]:  # fmt: skip
    """Of an experiment with the guard among its switches: whom it may not touch, and which KPIs one side may lack.

    `rules`: of the routing document; `known`: how KPIs are reckoned.
    """
    if GUARD not in wanted.switches:
        return
    rules, tenant = rules or GuardRules(), wanted.when.tenant
    modes: dict[str, str] = {f"`{one}`": mode for one, mode in sorted(rules.tenants.items()) if tenant in (None, one)}
    if not tenant or not modes:
        whose = f"`{tenant}`" if tenant else "every other tenant" if modes else "every tenant"
        modes[whose] = rules.mode or OWN
    if unsure := ", ".join(f"{whose} ({mode})" for whose, mode in modes.items() if mode != "enforce"):
        yield (
            "the switch `guard` changes nothing for tenants whose mode is not `enforce`, where nothing is degraded "
            f"anyway: {unsure}; `understudy guard set --mode enforce` sets it"
        )
    for kpi in dict.fromkeys(wanted.kpis):
        if (ratio := known.get(kpi)) is not None and ratio.below == f"{kpi}.n":
            yield (
                f"{kpi} is a mean of what applications send: have them send it of degraded replies as well, or one "
                "side lacks the users who got them"
            )
    if wanted.shadow.coalitions:
        yield f"{NEVER_COPIED}, so `shadow.coalitions` values the other switches alone"
