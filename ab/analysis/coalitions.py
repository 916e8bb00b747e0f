"""What switches of serving do to the reply alone: Shapley values of all coalitions' replies to the same prompts. Pure.

A copy of a prompt is answered by everybody who answers in some cell of the switches, so each prompt has a value for
every coalition, and contributions of its own: their interval is that of a mean of differences over distinct units, and
far narrower than where each coalition has units of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ab import switches as factorial
from ab.sequential.bounds import ConfidenceSequence, Interval
from ab.sequential.effects import FIGURES, Effect, Side, above, combined, returned
from ab.sequential.moments import Moments
from ab.sequential.pairs import DISCORDANT
from ab.shapley import Coalition, Contribution, adds_up, weights

SKEWED = 100
"""Units that must differ in a metric that is no yes or no, else `DISCORDANT`: differences that are far larger one way
than the other are too skewed for the asymptotics on 20."""


@dataclass(frozen=True, slots=True, eq=False)
class CopiedUnits:
    """One metric of the replies to copies in one phase, by the same versions, over distinct units.

    `moments`: of each unit its prompts, and for each further one who answers the sum over prompts of what his replies
    have above those of the first, in the order of `switches.answers`. `first`: the first's sum over all prompts.
    `differing`: units with a prompt on which the last's reply has something else than the first's. `binary`: the metric
    of a reply is a yes or no.
    """

    moments: Moments
    first: float
    differing: int
    binary: bool = False

    @property
    def prompts(self) -> int:
        """Copies that everybody answered."""
        return round(float(self.moments.mean[0]) * self.moments.n)

    def side(self, shares: Sequence[float]) -> Side:
        """Units with a mixture of the gaps, (k,) of the k further ones who answer, as numerator; over prompts."""
        into = np.zeros((FIGURES, len(shares) + 1))
        into[0, 1:], into[1, 0] = shares, 1.0
        moments = Moments(self.moments.n, into @ self.moments.mean, into @ self.moments.products @ into.T)
        return Side(moments, binary=False)


@dataclass(frozen=True, slots=True)
class ReplyAttribution:
    """A metric's change from all switches off to all on over the same prompts, and what each contributed to it.

    `values`: of each coalition. `why` says why nothing is attributed; empty where something is.
    """

    metric: str
    prompts: int
    change: Interval
    effect: Effect
    values: Mapping[Coalition, float]
    contributions: Mapping[str, Contribution]
    why: str

    @property
    def total(self) -> float:
        """Sum of the contributions."""
        return math.fsum(one.value for one in self.contributions.values())


def reply_attributions(
    switches: Iterable[str], counted: Mapping[str, Sequence[CopiedUnits]], alpha: float, planned: int
) -> Iterator[ReplyAttribution]:
    """Of each metric with copies; what changes of any is named at level 1 - `alpha` for all and all looks together."""
    players = list(switches)
    known = {metric: found for metric, of in counted.items() if (found := [one for one in of if one.moments.n > 1])}
    for metric, strata in known.items():
        yield _attributed(players, metric, strata, ConfidenceSequence(alpha / len(known), planned))


def _attributed(
    players: list[str], metric: str, strata: Sequence[CopiedUnits], sequence: ConfidenceSequence
) -> ReplyAttribution:
    who = factorial.answers(players)
    units = [one.moments.n for one in strata]
    first = sum(n * one.first / one.prompts for n, one in zip(units, strata, strict=True)) / sum(units)

    def of(counts: Mapping[Coalition, float]) -> Effect:
        shares = [0.0] * len(who)
        for some, weight in counts.items():
            shares[who.index(factorial.serves(_cell(players, some), players))] += weight
        return combined([above(one.side(shares[1:]), 0.0) for one in strata], returned(units))

    def around(effect: Effect) -> Interval:
        return sequence.around(effect.value, effect.error, effect.n)

    everyone, nobody = frozenset(players), frozenset[str]()
    effect = of({everyone: 1.0, nobody: -1.0})
    change, coalitions = around(effect), weights(players, players[0])
    values = {some: first + of({some: 1.0}).value for some in coalitions}
    why, contributions = _nothing(strata, change), dict[str, Contribution]()
    for player in () if why else players:
        part = of(weights(players, player))
        interval = around(part)
        contributions[player] = Contribution(part.value, interval.lower, interval.upper)
    given = [one.value for one in contributions.values()]
    if given and not adds_up(given, values[everyone] - values[nobody], max(map(abs, values.values()))):
        raise ArithmeticError(f"the contributions to {metric} add up to {math.fsum(given)}, not {effect.value}")
    return ReplyAttribution(metric, sum(one.prompts for one in strata), change, effect, values, contributions, why)


def _cell(players: Iterable[str], some: Coalition) -> str:
    return factorial.cell(one for one in players if one in some)


def _nothing(strata: Sequence[CopiedUnits], change: Interval) -> str:
    needed = DISCORDANT if all(one.binary for one in strata) else SKEWED
    if max(one.differing for one in strata) < needed:
        return f"{needed} units need a prompt on which it differs between all switches off and all on"
    if change.lower <= 0 <= change.upper:
        return "no change that can be told from none, so there is nothing to attribute"
    return ""
