"""The order of steps: each sample once an epoch, and the same for a later start."""

from __future__ import annotations

from online_distill.train.order import epoch_batches, steps_from


def test_an_epoch_holds_each_sample_once_and_a_later_start_gives_the_same_steps() -> None:
    lengths = [10 + i % 37 for i in range(100)]
    batches = epoch_batches(lengths, 256, seed=3, epoch=0)
    assert sorted(i for batch in batches for i in batch) == list(range(100))
    assert batches != epoch_batches(lengths, 256, seed=3, epoch=1)
    steps = steps_from(lengths, 256, seed=3)
    first = [next(steps) for _ in range(60)]
    later = steps_from(lengths, 256, seed=3, first=40)
    assert [next(later) for _ in range(20)] == first[40:]
