"""When a run is lost: no gradients, or a loss that grows; one bad batch is neither."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from online_distill.train.watch import PATIENCE, WINDOW, verdict

NAN = math.nan


def test_steps_without_a_gradient_end_a_run_when_they_follow_each_other() -> None:
    assert verdict([], 0.5) == "well"
    assert verdict([1.0, NAN], 0.5) == "doubtful"
    assert verdict([1.0] * 20 + [NAN] * (PATIENCE - 1), 0.5) == "doubtful"
    assert verdict([1.0] * 20 + [NAN] * PATIENCE, 0.5) == "lost"
    assert verdict([NAN] * PATIENCE, 0.5) == "lost"
    assert verdict([1.0, NAN] * 20 + [1.0], 0.5) == "well"


def test_a_loss_that_grows_ends_a_run_and_a_bad_batch_does_not() -> None:
    start = [0.5] * WINDOW
    assert verdict([2.1] * (WINDOW - 1), 0.5) == "well"
    assert verdict([2.1] * WINDOW, 0.5) == "lost"
    assert verdict([2.1] * WINDOW, 1.0) == "doubtful"
    assert verdict([*start, *[1.4] * WINDOW], 0.5) == "doubtful"
    assert verdict([*start, *[2.1] * WINDOW], 0.5) == "lost"
    assert verdict([*start, *[0.4] * WINDOW, 8.0, *[0.4] * (WINDOW - 1)], 0.5) == "doubtful"
    assert verdict([*start, *[0.4] * WINDOW, 4.0, *[0.4] * (WINDOW - 1)], 0.5) == "well"


@given(st.lists(st.floats(0.0, 1.0), max_size=100))
def test_losses_below_a_nat_are_never_given_up(losses: list[float]) -> None:
    assert verdict(losses, 0.5) != "lost"
