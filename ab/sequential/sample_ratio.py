"""Whether units arrived in the shares that were asked for: once at the end, and at every look.

The sequential test is the Bayes factor of a multinomial with a Dirichlet prior against the shares asked for (Lindon
and Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022); its inverse is a p-value that is valid
at every look, by Ville's inequality.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

CONCENTRATION = 10_000.0
"""Of the prior, spread over the arms by their shares: it looks for departures of about a per cent."""
ALARM = 0.001
"""A sequential p-value below it stops the experiment: something assigns or loses units wrongly."""


def p_sequential(counts: Mapping[str, int], shares: Mapping[str, float]) -> float:
    """Of these counts of units by arm; the running minimum over looks is valid too. 1 without units.

    0 where units were counted in an arm without a share.
    """
    if any(n and not shares.get(arm) for arm, n in counts.items()):
        return 0.0
    total = sum(counts.values())
    if total == 0:
        return 1.0
    log = math.lgamma(CONCENTRATION) - math.lgamma(CONCENTRATION + total)
    for arm, share in shares.items():
        if share > 0:
            prior, n = CONCENTRATION * share, counts.get(arm, 0)
            log += math.lgamma(prior + n) - math.lgamma(prior) - n * math.log(share)
    return min(1.0, math.exp(-log)) if log < 700 else 0.0


def p_fixed(counts: Mapping[str, int], shares: Mapping[str, float]) -> float:
    """Pearson's chi-square test of one look; 1 without units, 0 where an arm without a share has some."""
    if any(n and not shares.get(arm) for arm, n in counts.items()):
        return 0.0
    total = sum(counts.values())
    arms = [arm for arm, share in shares.items() if share > 0]
    if total == 0 or len(arms) < 2:
        return 1.0
    square = sum((counts.get(arm, 0) - total * shares[arm]) ** 2 / (total * shares[arm]) for arm in arms)
    return _chi_square_tail(square, len(arms) - 1)


def _chi_square_tail(square: float, freedom: int) -> float:
    """Probability above `square`: from that of one or two degrees of freedom up by two (Abramowitz and Stegun 26.4)."""
    half = square / 2
    tail = math.erfc(math.sqrt(half)) if freedom % 2 else math.exp(-half)
    for k in range(2 - freedom % 2, freedom, 2):
        tail += math.exp(k / 2 * math.log(half) - half - math.lgamma(k / 2 + 1)) if half > 0 else 0.0
    return tail
