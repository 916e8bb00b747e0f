"""What rows must hold, reckoned from all events at once: it knows neither rows nor running sums."""

from __future__ import annotations

from collections import defaultdict

from feedback.events import Exchange, Exposure, Kpi
from feedback.kpis.config import KpisConfig
from feedback.kpis.ratios import ratios


def standing(events: list[Exchange | Exposure | Kpi]) -> dict[tuple[str, str], float]:
    """{(target, kpi): value}: of the first of each id the latest."""
    seen: set[tuple[str, str, str]] = set()
    best: dict[tuple[str, str], tuple[float, str, float]] = {}
    for one in events:
        if isinstance(one, Kpi) and (one.target, one.kpi, one.id) not in seen:
            seen.add((one.target, one.kpi, one.id))
            said = (one.at, one.id, one.value)
            if (one.target, one.kpi) not in best or said[:2] > best[one.target, one.kpi][:2]:
                best[one.target, one.kpi] = said
    return {key: value for key, (_, _, value) in best.items()}


def groups_of(one: Exchange) -> list[str]:
    phases = [f"experiment:{part.experiment}:{part.arm}:{part.phase}" for part in one.counts_for]
    lines = [f"line:{p.experiment}:{p.arm}:{p.phase}:{one.line}" for p in one.counts_for if one.line]
    return [f"arm:{one.arm}", f"version:{one.version}", *phases, *lines]


def rows_of(events: list[Exchange | Exposure | Kpi]) -> dict[str, dict[str, tuple[float, dict[str, float]]]]:
    """{group: {unit: (first exposure, cells)}}."""
    by_response = {one.response_id: one for one in events if isinstance(one, Exchange)}
    exchanges = by_response.values()
    exposed: dict[str, Exchange] = {}
    cells: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(float)))
    first: dict[tuple[str, str], float] = {}
    seen = set()
    for one in sorted(exchanges, key=lambda one: one.at):
        exposed.setdefault(one.session, one)
        for group in groups_of(one):
            row = cells[group][one.unit]
            first.setdefault((group, one.unit), one.at)
            row["requests"] += 1
            row["abnormal"] += one.status >= 500
            if one.status == 200:
                row["replies"] += 1
                row["latency"] += one.seconds
                row["latency2"] += one.seconds**2
            place = (one.arm, one.version, str(one.counts_for), one.line if one.counts_for else "")
            if (group, one.session, place) not in seen:
                seen.add((group, one.session, place))
                row["sessions"] += 1
    for met in (one for one in events if isinstance(one, Exposure)):
        group = f"experiment:{met.experiment}:{met.arm}:{met.phase}"
        row = cells[group][met.unit]
        first[group, met.unit] = min(met.at, first.get((group, met.unit), met.at))
        if met.fell_back:
            row["fell_back"] = 1
    for (target, kpi), value in standing(events).items():
        about = (
            exposed.get(target.removeprefix("session:")) if target.startswith("session:") else by_response.get(target)
        )
        for group in groups_of(about) if about else ():
            cells[group][about.unit][f"{kpi}.n"] += 1  # type: ignore[union-attr]
            cells[group][about.unit][f"{kpi}.s"] += value  # type: ignore[union-attr]
    return {g: {u: (first[g, u], dict(row)) for u, row in units.items()} for g, units in cells.items()}


def before(events: list[Exchange | Exposure | Kpi]) -> dict[tuple[str, str], dict[str, float]]:
    """{(experiment, unit): {covariate: value}} of units that did anything before they came to the experiment.

    What was known of a unit when its first event of the experiment arrived; nothing where any of it is of later.
    """
    owner = {one.response_id: one.unit for one in events if isinstance(one, Exchange)}
    owner |= {f"session:{one.session}": one.unit for one in events if isinstance(one, Exchange)}
    known: dict[str, list[Exchange | Exposure | Kpi]] = defaultdict(list)
    found: dict[tuple[str, str], dict[str, float]] = {}
    for one in events:
        unit = owner[one.target] if isinstance(one, Kpi) else one.unit
        for part in () if isinstance(one, Kpi) else one.counts_for if isinstance(one, Exchange) else (one,):
            if (part.experiment, unit) not in found:
                asked = [covariate for _, covariate in part.covariates]
                found[part.experiment, unit] = done(known[unit], one.at, asked)
        known[unit].append(one)
    return found


def done(known: list[Exchange | Exposure | Kpi], at: float, asked: list[str]) -> dict[str, float]:
    """What one unit's events say of the covariates; nothing where it did any of it at `at` or later."""
    heard = {one.response_id for one in known if isinstance(one, Exchange)}
    heard |= {f"session:{one.session}" for one in known if isinstance(one, Exchange)}
    said = [one for one in known if isinstance(one, Kpi) and one.target in heard]
    stands = {(target, kpi) for target, kpi in standing(said)}
    ids: dict[tuple[str, str, str], float] = {}
    for one in said:
        ids.setdefault((one.target, one.kpi, one.id), one.at)
    times = [one.at for one in known if isinstance(one, Exchange)] + [
        when for (target, kpi, _), when in ids.items() if (target, kpi) in stands
    ]
    if not times or max(times) >= at:
        return {}
    cells: dict[str, float] = defaultdict(float)
    for group, units in rows_of(known).items():
        for _, row in units.values() if group.startswith("arm:") else ():
            for cell, value in row.items():
                cells[cell] += value
    found: dict[str, float] = {}
    for covariate in asked:
        ratio = ratios(KpisConfig()).get(covariate.removesuffix("_before"))
        if ratio is None:
            continue
        below = cells[ratio.below] if ratio.below else float(cells[ratio.above] > 0)
        if below > 0:
            found[covariate] = cells[ratio.above] / below
    return found
