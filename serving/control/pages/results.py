"""`understudy experiment results ID`: the answer in one sentence, then what it stands on."""

from __future__ import annotations

from collections.abc import Iterator

from ab.sequential.words import adjusted
from serving.control.printing import noted, table, when
from serving.control.replies.results import (
    AdjustedResult,
    ArmComparison,
    BusinessResult,
    ExperimentResultsReply,
    GuardrailResult,
    KpiResult,
    LineContributionsResult,
)

SHARE = 100.0


def results_page(value: ExperimentResultsReply) -> str:
    """One sentence; KPIs; units; what would change the answer; sample ratio; phases; business table; contributions."""
    parts = (
        _answer(value),
        _table(value.comparisons),
        _paired(value),
        _units(value),
        _outlook(value),
        _attribution(value),
        _copies(value),
        _phases(value),
        _business(value),
        _contributions(value),
    )
    return "\n\n".join("\n".join(lines) for part in parts if (lines := list(part)))


def _answer(value: ExperimentResultsReply) -> Iterator[str]:
    yield f"{value.decision}: {value.why}"
    if value.state == "stopped":
        yield f"{value.id} is stopped; what it counted stays, and feedback that is late still counts"


def _table(pairs: list[ArmComparison]) -> Iterator[str]:
    rows = []
    for pair in pairs:
        arms = f"{pair.new} - {pair.old}"
        if pair.primary is not None:
            rows.append(_kpi(pair.primary, arms, "primary"))
        rows += [_kpi(one, arms, "secondary") for one in pair.secondary]
        rows += [_rail(one, arms) for one in pair.guardrails]
    if rows:
        yield table(("KPI", "is", "arms", "effect", "interval", "limit", "verdict"), rows)
    for pair in pairs:
        for one in (*([pair.primary] if pair.primary else []), *pair.secondary):
            if one.adjusted is not None:
                yield f"{one.kpi}: {_adjusted(one.adjusted, one.n)}"


def _adjusted(one: AdjustedResult, n: int) -> str:
    if not one.units:
        return f"not adjusted: no unit has a {one.covariate}"
    return f"{adjusted(one.covariate, one.variance_reduced)}, which {one.units:,} of {n:,} units have"


def _kpi(one: KpiResult, arms: str, role: str) -> tuple[str | None, ...]:
    limit = f"{one.test} {one.margin:g}" if one.margin else one.test
    verdict = one.verdict if one.significant is None else ("significant" if one.significant else "not significant")
    share = is_share(one)
    return one.kpi, role, arms, figure(one.effect, share), interval(one.lower, one.upper, share), limit, verdict


def _rail(one: GuardrailResult, arms: str) -> tuple[str | None, ...]:
    return (
        one.kpi, "guardrail", arms, _signed(one.worse), interval(one.lower, one.upper, False), one.limit, one.verdict,
    )  # fmt: skip


def _paired(value: ExperimentResultsReply) -> Iterator[str]:
    for one in value.paired:
        head = f"same prompts   on {one.prompts:,} prompts of {one.users:,} users both replied; "
        head += f"the replies score differently on {one.differing:,}, {one.new} higher on {one.better:,}"
        if one.verdict == "too few" or one.effect is None or one.lower is None or one.upper is None:
            yield f"{head}: too few to say anything before 20 differ"
            continue
        more = "higher" if one.effect >= 0 else "lower"
        text = f"{head}: the quality of {one.new} is {abs(one.effect):.4f} {more} than that of {one.old}, "
        text += f"between {one.lower:+.4f} and {one.upper:+.4f} ({one.verdict})"
        yield text if one.split is None else f"{text}; a split test would need {one.split:.1f} times the prompts"


def _units(value: ExperimentResultsReply) -> Iterator[str]:
    days = "" if value.days is None else f", day {value.days:.1f} of {value.max_days:g}"
    yield f"units   {value.reached_units:,} of {value.planned_units:,} planned{days}"
    for arm, one in value.arms.items():
        fell = f", {one.fell_back:,} of them answered by another arm" if one.fell_back else ""
        beside = f" ({'; '.join(noted(one.notes))})" if one.notes else ""
        yield f"        {arm} {one.units:,}{fell}{beside}"
    if value.two_arms:
        yield f"        units in two arms {value.two_arms:,}: each counts for its first, up to the change"
    ratio = value.sample_ratio
    verdict = "as asked for" if ratio.verdict == "fits" else "ALARM: not in the shares asked for"
    yield f"shares  {verdict} (p {ratio.p_sequential:.3g} at every look together, {ratio.p_fixed:.3g} at this one)"


def _outlook(value: ExperimentResultsReply) -> Iterator[str]:
    if value.outlook:
        yield "what would change the answer"
        yield from (f"  {line}" for line in value.outlook)


def _attribution(value: ExperimentResultsReply) -> Iterator[str]:
    for one in value.attribution:
        change = f"{_signed(one.change.effect)}, between {interval(one.change.lower, one.change.upper, False)}"
        yield f"attribution of {one.kpi}: {one.why}" if one.why else f"attribution of {one.kpi} ({change})"
        if one.attributed:
            rows = [(name, _signed(part.value), interval(part.lower, part.upper, False))
                    for name, part in one.shapley.items()]  # fmt: skip
            yield table(("switch", "contribution", "interval"), [*rows, ("sum", _signed(one.sum), "")])


def _copies(value: ExperimentResultsReply) -> Iterator[str]:
    if not value.copies:
        return
    first = value.copies[0]
    yield f"the reply alone, on {first.prompts:,} copied prompts of {first.n:,} users that every coalition answered"
    rows: list[tuple[str | None, ...]] = []
    for one in value.copies:
        ends = [f"{one.values[some]:.4g}" for some in ("", ",".join(one.players))]
        rows += [(one.metric, name, _signed(part.value), interval(part.lower, part.upper, False), None)
                 for name, part in one.shapley.items()]  # fmt: skip
        rows.append((one.metric, "change", _signed(one.change.effect),
                     interval(one.change.lower, one.change.upper, False), one.why or " -> ".join(ends)))  # fmt: skip
    yield table(("metric", "switch", "contribution", "interval", "all off -> all on"), rows)


def _phases(value: ExperimentResultsReply) -> Iterator[str]:
    if len(value.phases) > 1:
        rows = [
            (one.number, None if one.since is None else when(one.since), *(
                f"{arm} {share:g}: {one.units.get(arm, 0):,}" for arm, share in one.shares.items()
            ))
            for one in value.phases
        ]  # fmt: skip
        arms = [""] * max(len(one.shares) for one in value.phases)
        yield "effects are computed within phases and then combined"
        yield table(("phase", "since (UTC)", *arms), rows)


def _business(value: ExperimentResultsReply) -> Iterator[str]:
    rows = [
        (line, one.kpi, one.arm, figure(one.effect, one.kpi != "session_turns"),
         None if one.percent is None else f"{one.percent:+.1f} %",
         interval(one.lower, one.upper, one.kpi != "session_turns"), _narrow(one))
        for line, of in value.business.items() for one in of if one.n
    ]  # fmt: skip
    if rows:
        yield "business, within 30 days of the first exposure"
        yield table(("line", "KPI", "arm", "effect", "per cent", "95 % interval", "width"), rows)


def _contributions(value: ExperimentResultsReply) -> Iterator[str]:
    rows: list[tuple[str | None, ...]] = []
    for one in value.contributions:
        share = is_share(one)
        rows += [
            (one.kpi, one.arm, line.line, f"{line.share:.1%}", figure(line.effect, share), figure(line.value, share),
             interval(line.lower, line.upper, share))
            for line in one.lines
        ]  # fmt: skip
        rows.append((one.kpi, one.arm, "composition", None, None, figure(one.composition, share), None))
        rows.append((one.kpi, one.arm, "sum", None, None, figure(one.effect, share), None))
    if rows:
        yield "contributions of lines to the effects: where they come from, not why"
        yield table(("KPI", "arm", "line", "share", "effect there", "contribution", "interval"), rows)


def _narrow(one: BusinessResult) -> str | None:
    if one.missing is None:
        return None
    return "narrow enough" if one.missing == 0 else f"{one.missing:,} users an arm missing"


def is_share(one: KpiResult | LineContributionsResult) -> bool:
    """Whether a KPI is shown in points."""
    return all(x is not None and abs(x) <= 1 for x in (one.old, one.new))


def figure(value: float | None, share: bool) -> str | None:
    """An effect, in points where it is a share."""
    return None if value is None else f"{SHARE * value:+.2f} points" if share else _signed(value)


def interval(lower: float | None, upper: float | None, share: bool) -> str | None:
    """Both ends."""
    if lower is None or upper is None:
        return None
    scale = SHARE if share else 1.0
    return f"{scale * lower:+.4g} to {scale * upper:+.4g}"


def _signed(value: float | None) -> str | None:
    return None if value is None else f"{value:+.4g}"
