"""Memory is compared by the median of each tenth of the time, so that one look at a bad moment says nothing."""

from __future__ import annotations

import pytest

from bench.gateway.remembering import tenths


def test_each_tenth_has_its_median() -> None:
    seen = [float(at // 3) for at in range(30)]
    seen[4] = 1000.0
    assert tenths(seen) == tuple(map(float, range(10)))
    with pytest.raises(ValueError, match="9 times"):
        tenths(seen[:9])
